/* The format that a command line asks for, with what it says besides. */
#ifndef TSCAP_CHOSEN_FORMAT_H
#define TSCAP_CHOSEN_FORMAT_H

struct capture;
struct format;
struct settings;

/* --format names one, and what else is given is for it. NULL after a message, which is EXIT_USAGE. */
const struct format *chosen_format_find(const struct settings *s);

/* What it asks for was measured: EXIT_OK, or EXIT_FAILED after a message. */
int chosen_format_check_capture(const struct capture *c, const struct settings *s);

#endif
