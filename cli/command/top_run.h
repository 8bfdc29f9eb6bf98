/* `tscap top --run`: a program that is started, shown while it runs, and ended as with `tscap run`. */
#ifndef TSCAP_TOP_RUN_H
#define TSCAP_TOP_RUN_H

struct column;
struct settings;

int top_run_check(const struct settings *s); /* EXIT_OK, or an exit code after a message */
int top_run(const struct settings *s, const struct column *sort); /* the program's exit code */

#endif
