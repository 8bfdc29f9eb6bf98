/* Lanes, writer's side: one per thread that records.
 *
 * writer_push_then() is the hot path: two words and a count, release stores all (segment.h, struct lane). Nothing is lost when
 * a ring wraps: the thread folds its own oldest records in time. It does so in phases: nothing until three quarters of the
 * ring wait, then 192 records at every 64th push until a quarter is left. So the folded state is at rest for half a ring
 * at a time, long enough for a reader to copy it, and no push ever folds more than 192 records: about a microsecond. What
 * that takes is measured (two clock reads for all of them) and written as RECORD_OWN: folding takes it out of the open
 * calls. Folding 48 records at every 16th push costs 1.5 ns a call more (bench_push, two cores of a 2.6 GHz Xeon). */
#ifndef TSCAP_LANES_H
#define TSCAP_LANES_H

#include <pthread.h>

#include "cputime.h"
#include "fold.h"
#include "segment_file.h"
#include "word.h"

#define WRITER_STRIDE 64u  /* pushes between foldings */
#define WRITER_FOLD 192u   /* records folded then: more than arrive in between, so the backlog shrinks */

struct writer {
    uint64_t head;
    struct slot *ring;
    uint64_t mask;
    uint64_t fold_at;  /* head at which to fold next */
    uint64_t last;     /* ticks of the last record */
    uint64_t own;      /* ticks that folding has taken */
    struct lane *lane;
    uint32_t depth;    /* calls open, as a reader will find it */
    uint32_t audience; /* of calls that begin, by its last record */
    bool mixed;        /* calls with different audiences may wait here */
    struct cputime cpu;
    struct folder folder;
    struct lanes *lanes;
    struct writer *older, *newer; /* among exited ones: by age */
    struct writer *next;          /* of all */
    uint32_t spare_page, spare_pages;
    pthread_mutex_t lock; /* of its thread while it ends, and of others while they take calls from it */
};

struct lanes;

struct lanes_options {
    uint32_t ring_slots;          /* a power of two; fewer where there are many threads (rings.h) */
    uint32_t keep_exited;         /* exited threads that keep rows of their own */
    enum cputime_mode cpu_mode;   /* CPUTIME_NONE_YET: the best that proves itself */
    struct folder_limits limits;
};
#define LANES_KEEP_EXITED 256u

struct lanes *lanes_new(struct segment *segment, const struct lanes_options *o); /* NULL: no memory */

/* Recording was stopped at `when`, a moment ago: notes it of each thread with open calls, and how long that had been off the CPU.
 * Nobody is woken. */
void lanes_note_stop(struct lanes *l, uint64_t when);

/* What calls of each audience count for from now on, in all lanes (folder_compact): in those that waste memory, or in `all`; then `used`
 * tells which audiences they have still. Nobody pushes meanwhile: who calls this has the interpreter's lock. */
void lanes_compact(struct lanes *l, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES]);

/* The calling thread has another name now. */
void lanes_rename(struct writer *w, const char *name);

/* A lane for the calling thread; NULL: none to be had; whoever wants one counts that in header.lost_lanes. */
struct writer *lanes_open(struct lanes *l, const char *name);

/* The calling thread ends: folds what is left, closes what is open, gives the ring back. */
void lanes_close(struct lanes *l, struct writer *w);

/* The process ends: memory of rings that nobody writes any more goes back to the system, and is not used again. */
void lanes_trim(struct lanes *l);

/* Nobody writes any more: frees everything without touching the segment. */
void lanes_delete(struct lanes *l);

/* In a forked child: forgets everything without touching the segment; the memory of other threads' writers is given up. */
void lanes_abandon(struct lanes *l);

/* Empties the lane for header.resets == resets. Its thread only. */
void writer_reset(struct writer *w, uint32_t resets);

/* When the last call began or ended, on a clock that stands still while records are folded: differences are those that
 * folding arrives at. */
static inline uint64_t writer_time(const struct writer *w) { return w->last - w->own; }

/* Ends all open calls at `when`, marked RECORD_CUT: recording stopped or the thread ends. */
void writer_cut(struct writer *w, uint64_t when);
void writer_cut_now(struct writer *w);
/* Recording ended before, when lanes_note_stop() said so; else, nobody having told, at `when`: then what has passed since the
 * last record does not count as CPU time. */
void writer_cut_at_stop(struct writer *w, uint64_t when);

/* Folds everything pushed. */
void writer_flush(struct writer *w);

/* Slow paths of a push: the clock is not a counter; the thread may have left the CPU; it is time to fold. */
void writer_push_by_call(struct writer *w, uint64_t what);
void *writer_push_after_switch(struct writer *w, uint64_t now, uint64_t what, void *result);
void *writer_fold(struct writer *w, void *result);

static inline uint64_t writer_store(struct writer *w, uint64_t when, uint64_t what)
{
    uint64_t head = w->head;
    struct slot *slot = &w->ring[head & w->mask];
    /* All three pair with words_read() in snapshot_copy.c: whoever sees a word of record h also sees head >= h. */
    word_put(&slot->when, when);
    word_put(&slot->what, what);
    w->head = ++head;
    word_put(&w->lane->head, head);
    return head;
}

/* `what` as record_pack() makes it; the clock is a counter. `result` is handed through, so that a callback that ends in a
 * push ends in a jump and saves no registers: a fifth of what a push costs. */
static inline void *writer_push_then(struct writer *w, uint64_t what, void *result)
{
    uint64_t now = clock_counter();
    if (__builtin_expect(cputime_left(&w->cpu, now - w->last), 0))
        return writer_push_after_switch(w, now, what, result);
    w->last = now;
    return __builtin_expect(writer_store(w, now, what) >= w->fold_at, 0) ? writer_fold(w, result) : result;
}
static inline void *writer_enter_then(struct writer *w, uint32_t site, void *result)
{
    return writer_push_then(w, record_pack(site, ++w->depth, RECORD_ENTER, 0), result);
}
static inline void *writer_exit_then(struct writer *w, uint32_t site, unsigned flags, void *result)
{
    return writer_push_then(w, record_pack(site, w->depth--, RECORD_EXIT, flags), result);
}

static inline void writer_push(struct writer *w, uint64_t what)
{
    if (__builtin_expect(clock_source_now == CLOCK_SOURCE_MONOTONIC, 0))
        writer_push_by_call(w, what);
    else
        writer_push_then(w, what, NULL);
}
static inline void writer_enter(struct writer *w, uint32_t site) { writer_push(w, record_pack(site, ++w->depth, RECORD_ENTER, 0)); }
static inline void writer_exit(struct writer *w, uint32_t site, unsigned flags) { writer_push(w, record_pack(site, w->depth--, RECORD_EXIT, flags)); }

/* Calls that begin from here on have this audience: what header.audience says, at the thread's next event. */
void writer_listen(struct writer *w, uint32_t audience);

/* The innermost open call has moved this many bytes, RECORD_DURATION_MAX at most at a time. */
void writer_bytes(struct writer *w, uint64_t bytes);

/* Keyed calls: generators, coroutines. */
void writer_enter_keyed(struct writer *w, uint32_t site, uint64_t key);
void writer_suspend(struct writer *w, uint32_t site);
void writer_resume(struct writer *w, uint32_t site, uint64_t key);

/* A keyed call that was suspended, and by whom. */
struct waiting {
    struct writer *writer;
    uint32_t generation; /* of its lane then: it may be another thread's by now, with what waited among the merged ones */
    uint64_t since;      /* ticks */
    uint64_t carried;    /* ticks that it had run */
    uint64_t waited;     /* ticks that it had waited before `since` */
};

/* It goes on on the calling thread; or it is known to have ended without an event. Who calls these has kept other threads
 * from recording: they write to the other lane, whose folding is time taken by this one's recorder. */
void writer_resume_moved(struct writer *w, uint32_t site, uint64_t key, const struct waiting *c);
void writer_end_silently(struct writer *w, uint64_t key, const struct waiting *c);

/* The call on top waits, whatever it is, because the thread goes over to another stack: writer_resume() brings it back. A
 * keyed call keeps its key. */
void writer_put_aside(struct writer *w, uint32_t site, uint64_t key);

/* The call at `depth` ends while later ones are open; see RECORD_DROP for what must follow when they have ended. */
void writer_exit_below(struct writer *w, uint32_t site, uint32_t depth, unsigned flags);
void writer_drop(struct writer *w);

#endif
