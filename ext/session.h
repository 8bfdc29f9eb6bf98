/* The session that `tscap start` and start() begin and end: what the segment's header says of it, and the zero of all numbers. With
 * the interpreter's lock. */
#ifndef TSCAP_SESSION_H
#define TSCAP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

bool session_running(void);
uint32_t session_number(void); /* another one as soon as anybody orders one to start or to stop */
bool session_has_subprocesses(void); /* children made while it runs record from their start */

void session_begin(bool subprocesses);
void session_join(bool subprocesses); /* it runs already, and somebody else wants it, too */
void session_end(void);               /* and when that was, in ticks: */
void session_note_end(uint64_t when);

void session_inherit(uint32_t how); /* SESSION_INHERITED, SESSION_COUNTED: the next one is part of an ancestor's; 0: it is not */
void session_clear(void);           /* what is counted beside the calls begins anew; so does: */
void session_reset(void);           /* all that was recorded, by whomever */
void session_forget(void);          /* in a forked child: none runs */

#endif
