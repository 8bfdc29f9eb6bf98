/* The recorder: this process' segment, its lanes, and who wants records now.
 *
 * Consumers are counted: the session (start, stop) and each collector that is entered. The hooks are armed while there is
 * one. `epoch` changes whenever recording begins, ends or is reset; a thread whose writer has another epoch brings itself
 * in step at its next event. It lies in a page that the kernel empties on fork (MADV_WIPEONFORK), so that a child made
 * behind Python's back never writes into its parent's segment. */
#ifndef TSCAP_RECORDER_H
#define TSCAP_RECORDER_H

#include "python.h"

#include <stdbool.h>

#include "account.h"
#include "lanes.h"
#include "scope.h"
#include "sites.h"
#include "stacks.h"

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

struct thread {
    struct writer *writer;
    uint32_t epoch;         /* of the recorder when this thread was last in step with it */
    uint32_t generation;    /* of the segment that the writer writes to */
    uint32_t room;
    struct open_call *open; /* [1 .. writer->depth] */
    uint32_t ended;         /* of them: those with OPEN_ENDED or OPEN_LEFT */
    uint32_t usual;         /* epoch, or UINT32_MAX while a collector is entered here or `ended` is not 0 */
    uint64_t number;        /* of all threads that ever were */
    struct hosts hosts;     /* frames that entered collectors */
    struct accounts accounts;
    struct chain *chain;    /* what encloses the call that begins now; borrowed */
    struct stacks *stacks;  /* where greenlets are used */
};

#pragma GCC visibility push(hidden) /* no detour through the GOT */
extern _Atomic uint32_t *recorder_epoch; /* 0: off in this process */
extern _Atomic uint32_t *recorder_usual; /* the epoch while all threads record by a counter clock, have one stack, and no
                                          * collector has to be looked for in variables, else 0 */
extern bool recorder_on;       /* somebody wants records */
extern bool recorder_everyone; /* a session runs: all threads record; else only what a collector encloses */
extern __thread struct thread *recorder_thread_here __attribute__((tls_model("initial-exec")));
#pragma GCC visibility pop

/* Sets up the segment. 0 or -errno: then the package cannot be. Without a segment nothing is recorded, and status says why. */
int recorder_init(void);
bool recorder_available(void);
bool recorder_is_of_parent(void); /* C code forked this process: what is here is a copy of what its parent has */
bool recorder_supported(void); /* only a segment is missing, if anything: see recorder_reopen() */
const char *recorder_problem(void); /* why not available; "" */

struct segment *recorder_segment(void);
struct sites *recorder_sites(void);

/* The interpreter's lock is held in all of these. `when`: ticks. */
enum recorder_change { RECORDER_DONE, RECORDER_ALREADY, RECORDER_FAILED };
/* `subprocesses`: children made while the session runs record from their start. FAILED: a Python exception is set. */
enum recorder_change recorder_start(bool subprocesses);
enum recorder_change recorder_stop(void);
void recorder_reset(void);
bool recorder_running(void);
int recorder_want(void);    /* a collector is entered: 0, or -1 with an exception */
void recorder_unwant(void); /* and left */
int recorder_want_latent(void); /* a collector waits to be found in a variable: the same */
void recorder_unwant_latent(void);
uint64_t recorder_consumers(void);
void recorder_disarm(void); /* nobody wants records */
void recorder_measuring_here(bool on); /* what this thread calls is not the program's: no loss */
void recorder_measuring(bool on); /* everyone records, for hook_measure() only */
void recorder_forget_thread(void); /* the calling thread's lane is closed; it gets another when it records */

void recorder_detach(void); /* gives the segment up, with what was recorded; nothing is recorded any more, until: */
int recorder_reopen(void);  /* a new one, if there is none. 0, or -1 with an exception */
void recorder_close(void);             /* at exit: the file goes, unless TSCAP_KEEP is set or it is part of an ancestor's session */
void recorder_after_fork_parent(void);
int recorder_after_fork_child(void);   /* a segment of the child's own, and the session if it was handed on; no exception */
void recorder_inherit(void);           /* at import: records, if an ancestor's session covers this process; no exception */

/* All calls take the slow path from now on. */
void recorder_nothing_is_usual(void);

/* Cuts what this thread has open now. */
void recorder_cut_open(struct thread *t);

/* The calling thread, in step with the recorder, on the stack that runs; NULL: it cannot record, which has been counted. */
struct thread *recorder_thread_slow(void);
/* The hot path's only question: in step, recording everything, no collector that asks for frames, nothing ended out of
 * order, a clock that is a counter, one stack. */
static inline bool recorder_is_usual(const struct thread *t)
{
    return t && t->usual == atomic_load_explicit(recorder_usual, memory_order_relaxed);
}
static inline bool recorder_in_step(const struct thread *t)
{
    return t && t->epoch == atomic_load_explicit(recorder_epoch, memory_order_relaxed);
}
static inline struct thread *recorder_thread(void)
{
    struct thread *t = recorder_thread_here;
    return __builtin_expect(recorder_in_step(t) && !stacks_change, 1) ? t : recorder_thread_slow();
}

/* After a call that began in `epoch`: is it recorded still? Only then may its thread be looked at. */
static inline bool recorder_still(uint32_t epoch)
{
    return epoch == atomic_load_explicit(recorder_epoch, memory_order_relaxed);
}

bool recorder_more_room(struct thread *t); /* false: no memory; counted */

/* Nobody wants what happens on this thread. */
static inline bool recorder_nobody_here(void)
{
    const struct thread *t = recorder_thread_here;
    return !recorder_everyone && !scope_latent && !(t && t->hosts.count);
}

/* `caller`: the frame that calls what begins now. Notes what encloses it. */
static inline bool recorder_wanted(struct thread *t, const python_frame *caller)
{
    t->chain = t->hosts.count || scope_latent ? scope_resolve(t, caller) : NULL;
    return t->chain || recorder_everyone;
}

/* Notes what will be at the next depth. */
static inline bool recorder_open(struct thread *t, const void *id, uint32_t site, uint64_t flags)
{
    uint32_t depth = t->writer->depth + 1;
    if (__builtin_expect(depth >= t->room, 0) && !recorder_more_room(t))
        return false;
    t->open[depth] = (struct open_call){.id = id, .what = site | flags};
    return true;
}

/* Ends what lies above the innermost open call with this id: blocks that were never left. False: there is no such call
 * on top of them, it began before recording did. */
bool recorder_uncover(struct thread *t, const void *id);
bool recorder_uncover_depth(struct thread *t, uint32_t depth); /* always true */
static inline bool recorder_on_top(struct thread *t, const void *id)
{
    uint32_t depth = t->writer->depth;
    return __builtin_expect(depth && t->open[depth].id == id, 1) || recorder_uncover(t, id);
}

/* After `hosts`, `epoch` or `ended` changed. */
void recorder_set_usual(struct thread *t);

/* Takes entries that ended out of order off the top. */
void recorder_drop_ended_slow(struct thread *t);
static inline void recorder_drop_ended(struct thread *t)
{
    if (__builtin_expect(t->ended, 0))
        recorder_drop_ended_slow(t);
}

/* What begins and ends where collectors may be about: the record, and the accounts. */
static inline void recorder_began(struct thread *t, bool counts)
{
    if (t->chain)
        account_begin(t, t->chain, counts);
}
static inline void recorder_exit(struct thread *t, uint32_t site, unsigned flags)
{
    uint32_t depth = t->writer->depth;
    writer_exit(t->writer, site, flags);
    account_end(t, depth, flags & RECORD_RAISED ? ACCOUNT_RAISES : ACCOUNT_RETURNS);
}
static inline void recorder_suspend(struct thread *t, uint32_t site)
{
    uint32_t depth = t->writer->depth;
    writer_suspend(t->writer, site);
    account_end(t, depth, ACCOUNT_WAITS);
}

void recorder_block_enter(struct thread *t, const void *id, uint32_t site);
void recorder_block_exit(struct thread *t, const void *id, bool raised);

#endif
