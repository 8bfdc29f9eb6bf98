/* Everything tscap says on stderr goes through here. */
#ifndef TSCAP_MESSAGE_H
#define TSCAP_MESSAGE_H

#include <stddef.h>

#include "exit_code.h"

/* An error, as lines of one text: what, why (any number of lines), what to type to mend it. Prints
 *
 *     tscap: cannot start 4242
 *       the process is stopped (SIGSTOP)
 *       try: kill -CONT 4242
 *
 * and returns `code`, for `return fail(...)`. Control characters of what users and targets named do not reach the
 * terminal. */
__attribute__((format(printf, 2, 3))) int fail(enum exit_code code, const char *format, ...);

#define MESSAGE_MAX 8192 /* bytes; what is longer is cut */

/* As the remedy, or at its beginning: the command line that was typed, so that it can be typed again:
 *     return fail(EXIT_FAILED, "cannot list processes\n" "out of memory\n" SAME_AGAIN);  */
#define SAME_AGAIN "\001"
void message_invoked_as(int argc, char **argv); /* (borrowed) */

/* From now on messages are not printed, and the last one is kept here; NULL: they are printed again. For who learns later whether
 * there is anything to say. */
void message_keep(char *buffer, size_t size);

/* A word beside the data: "tscap: ...", one line. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

/* How it goes, on a terminal only: a line on stderr that the next one, or a message, takes the place of. */
__attribute__((format(printf, 1, 2))) void progress(const char *format, ...);

#endif
