/* Blocks that wait with the generator or coroutine in whose frame they are open, and go on with it, on whatever thread. With the
 * interpreter's lock. */
#ifndef TSCAP_CARRIED_H
#define TSCAP_CARRIED_H

#include "python.h"

#include "thread.h"

/* The call of this frame is about to wait: so do the blocks above it. Where there is no memory, or a collector is among them,
 * they stay (scope_on_top() ends them). */
void carried_wait(struct thread *t, const python_frame *frame);

/* It goes on: they are above it again. Or it begins: what another one left at its address is forgotten. */
void carried_go_on(struct thread *t, const python_frame *frame);
void carried_drop(const python_frame *frame);

void carried_forget(void); /* the segment is given up, or was reset */

#endif
