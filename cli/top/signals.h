/* Signals of a program with a full screen: held back but where it waits or draws, and then only noted. */
#ifndef TSCAP_SIGNALS_H
#define TSCAP_SIGNALS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* `outside`: what is blocked where it waits or draws; NULL: what is blocked now. */
void signals_begin(const sigset_t *outside);
/* As they were before; but SIGHUP and SIGTERM do nothing any more, so that what ended us comes but once. */
void signals_end(void);

/* Has one come that asks to leave? */
bool signals_leave(void);

/* Which one came that ends a process and was sent to us alone, SIGTERM or SIGHUP? 0: none. */
int signals_ending(void);

/* Ends the process by the signal that asked to leave, for its parent to see; SIGINT is a key like any other. */
void signals_pass_on(void);

/* Has it come since it was asked for last? */
bool signals_came(int number);

/* As ppoll(2), for as long as it takes; ended by signals. `ns`: at most; UINT64_MAX: no limit. */
int signals_poll(struct pollfd *fds, nfds_t count, uint64_t ns);

/* Around what may block on the terminal: a signal to leave makes it go on, its output lost. */
void signals_let(bool let);

/* Does what SIGTSTP does by itself: returns when the process has been continued. */
void signals_stop(void);

#endif
