/* Stacks: a thread may have several, where greenlets are used, and goes over from one to another without an event.
 *
 * Once greenlet is there, each event asks it which greenlet runs (its C interface; a thread without greenlets is one, too).
 * If that is another one than at the event before, the calls open on the stack that was left are put aside, as calls that
 * wait, and those of the stack that is entered come back: so each call has the caller it has on its own stack, and time is
 * that of the stack that runs. What passes between the change of stacks and the next event counts as the one left. */
#ifndef TSCAP_STACKS_H
#define TSCAP_STACKS_H

#include <stdbool.h>
#include <stdint.h>

struct thread;
struct stacks;

#pragma GCC visibility push(hidden)
extern bool stacks_change; /* greenlet is there */
#pragma GCC visibility pop

/* Has the program got greenlet by now? Where it came while calls were open, those that are not of the stack that runs are
 * cut. With the interpreter's lock, like the next. */
void stacks_look(void);

/* The greenlet that runs, NULL: none can be told. May run code of the program: greenlet ends greenlets that other threads
 * dropped. */
const void *stacks_running(void);

/* After that: makes what is open what is open there. */
void stacks_follow(struct thread *t, const void *running);

/* The entry of a collector that is left on another stack than it was entered on. */
void stacks_leave(struct thread *t, const void *id, uint64_t flags);

void stacks_forget(struct thread *t); /* what was put aside is over: recording ended */
void stacks_free(struct thread *t);   /* the thread ended: without the lock, so chains are given up, not dropped */

#endif
