/* A thread that records: its lane's writer, what it has open, and whether that is in step with what is wanted now. */
#ifndef TSCAP_THREAD_H
#define TSCAP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "demand.h"
#include "hosts.h"
#include "lanes.h"

/* One open call or block of this thread; index = its depth. */
struct open_call {
    const void *id; /* frame, block or collector; NULL: a function's frame that nobody needs to know */
    uint64_t what;  /* its site, and: */
};
#define OPEN_BLOCK (1ull << 32)     /* no frame of its own: ended by its object, or with the frame around it */
#define OPEN_ENDED (1ull << 33)     /* ended while later ones were open */
#define OPEN_COLLECTOR (1ull << 34)
#define OPEN_LEFT (1ull << 35)   /* a collector left while calls above it are open: it ends when they have */
#define OPEN_LEFT_RAISED (1ull << 36)
#define OPEN_KEYED (1ull << 37) /* a generator or coroutine */
#define OPEN_INNER (1ull << 38) /* a block in one of the same site: a recursion */
#define OPEN_APART (1ull << 39) /* a block above one of the same site, which is another task's */

struct thread {
    struct writer *writer;
    uint64_t epoch;         /* of the demand when this thread was last in step with it */
    uint32_t generation;    /* of the segment that the writer writes to */
    uint32_t room;
    struct open_call *open; /* [1 .. writer->depth]; calls.h */
    uint32_t ended;         /* of them: those with OPEN_ENDED or OPEN_LEFT */
    uint64_t usual;         /* epoch, or UINT64_MAX while a collector is entered here or `ended` is not 0 */
    bool named;             /* as `threading` calls it, or for good */
    uint64_t number;        /* of all threads that ever were */
    struct hosts hosts;     /* frames that entered collectors */
    struct accounts accounts;
    struct chain *chain;    /* what encloses the call that begins now; borrowed */
    struct stacks *stacks;  /* where greenlets are used */
};

#pragma GCC visibility push(hidden)
extern __thread struct thread *thread_here __attribute__((tls_model("initial-exec"))); /* NULL: it has not recorded yet */
#pragma GCC visibility pop

int thread_init(void); /* 0 or an error number */

/* The hot path's only question: in step, recording everything, no collector that asks for frames, nothing ended out of
 * order, a clock that is a counter, one stack. */
static inline bool thread_is_usual(const struct thread *t)
{
    return t && t->usual == atomic_load_explicit(demand_usual, memory_order_relaxed);
}
static inline bool thread_is_in_step(const struct thread *t) { return t && t->epoch == demand_epoch_now(); }

/* After `hosts`, `epoch` or `ended` changed. */
static inline void thread_set_usual(struct thread *t) { t->usual = t->hosts.count || t->ended ? UINT64_MAX : t->epoch; }

/* The calling thread, in step with the demand, on the stack that runs; NULL: it cannot record, and a call that begins then
 * has been counted as lost. */
struct thread *thread_slow(bool begins);
static inline struct thread *thread_where(bool begins)
{
    struct thread *t = thread_here;
    return __builtin_expect(thread_is_in_step(t) && !demand_many_stacks, 1) ? t : thread_slow(begins);
}
static inline struct thread *thread_now(void) { return thread_where(true); }

/* What begins and ends on the calling thread is not recorded until this has been called the other way as often; where greenlets are
 * used, on the stack that runs. With the interpreter's lock. */
void thread_hush(bool on);
bool thread_is_hushed(void);

void thread_forget(void); /* the calling thread's lane is closed; it gets another when it records */

/* The segment is given up: waits for threads that are ending; and the calling one, without a look at its writer. */
void thread_await_exits(void);
void thread_drop(void);

#endif
