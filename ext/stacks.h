/* Stacks: a thread may have several, where greenlets are used, and goes over from one to another without an event.
 *
 * Once greenlet is there, each event asks it which greenlet runs (its C interface; a thread without greenlets is one, too).
 * If that is another one than at the event before, the calls open on the stack that was left are put aside, as calls that
 * wait, and those of the stack that is entered come back: so each call has the caller it has on its own stack, and time is
 * that of the stack that runs. What passes between the change of stacks and the next event counts as the one left. */
#ifndef TSCAP_STACKS_H
#define TSCAP_STACKS_H

#include <stdbool.h>

struct thread;
struct stacks;

/* `running`: as greenlets_running() says. Makes what is open what is open there. The first time, calls that are not of the stack
 * that runs are cut. */
void stacks_follow(struct thread *t, const void *running);

/* The entry of a collector that is left on another stack than it was entered on. */
void stacks_leave(struct thread *t, const void *id, bool raised);

void stacks_forget(struct thread *t); /* what was put aside is over: recording ended */
void stacks_free(struct thread *t);   /* the thread ended: without the lock, so chains are given up, not dropped */

#endif
