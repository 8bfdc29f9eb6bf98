/* Where the output goes: how wide that is, and whether it may be emphasised. */
#ifndef TSCAP_TERMINAL_H
#define TSCAP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of stdout; 0: no limit, it is not a terminal. */
size_t terminal_width(void);

/* Is stdout a terminal that understands escape sequences, and does nobody object? NO_COLOR, CLICOLOR=0 and TERM=dumb do;
 * CLICOLOR_FORCE wants them in pipes too. */
bool terminal_styled(void);

/* Why there can be no full screen on stdin and stdout, in words; NULL: there can. */
const char *terminal_problem(void);

#endif
