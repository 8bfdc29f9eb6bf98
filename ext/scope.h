/* Which collectors enclose what a frame calls: the frame is one that entered a collector or holds one in a local variable
 * named _timestamp_collector_, or was called by one, at whatever distance.
 *
 * The interpreter's frames are walked outwards, up to the innermost recorded call (whose collectors are known) or to a
 * frame that entered a collector and cannot have been suspended since (what encloses that one has not changed). Frames
 * of other tasks are not on the stack, so theirs do not enclose; in the thread's stack of open calls they are suspended
 * until they do again, like generators. */
#ifndef TSCAP_SCOPE_H
#define TSCAP_SCOPE_H

#include "python.h"

#include <stdbool.h>

#include "thread.h"

/* The ledger of a collector that waits to be found in a variable, or was entered on this thread; else, and for any other
 * object, NULL. */
typedef struct ledger *scope_ledger_of(PyObject *object, const struct thread *t);

int scope_init(scope_ledger_of *of_object); /* 0, or -1 with an exception */

/* The chain of what `frame` calls, borrowed; NULL: none. The stack of open calls is brought in line. */
struct chain *scope_resolve(struct thread *t, const python_frame *frame);

/* Nobody wants what happens on this thread. */
static inline bool scope_nobody_here(void)
{
    const struct thread *t = thread_here;
    return demand_everyone == DEMAND_ENCLOSED && !demand_latent && !(t && t->hosts.count);
}

/* Is what `caller`, a frame, calls now wanted? Notes what encloses it. */
static inline bool scope_wants(struct thread *t, const python_frame *caller)
{
    t->chain = t->hosts.count || demand_latent ? scope_resolve(t, caller) : NULL;
    return t->chain || demand_everyone != DEMAND_ENCLOSED;
}

/* The stay's entry on the thread's stack: made, and ended (it may have to wait for calls above it). */
void scope_push(struct thread *t, struct stay *s);
void scope_pop(struct thread *t, struct stay *s, bool raised);

/* Ends what lies above the innermost open call with this id: blocks that were never left. False: there is no such call
 * on top of them, it began before recording did. */
bool scope_uncover(struct thread *t, const void *id);
bool scope_uncover_depth(struct thread *t, uint32_t depth); /* always true */
static inline bool scope_on_top(struct thread *t, const void *id)
{
    uint32_t depth = t->writer->depth;
    return __builtin_expect(depth && t->open[depth].id == id, 1) || scope_uncover(t, id);
}

#endif
