/* Random forests of calls: what threads, generators, blocks and the recorder itself can do, written as records with
 * synthetic ticks and told to an oracle at the same time. */
#ifndef TSCAP_TESTS_FOREST_H
#define TSCAP_TESTS_FOREST_H

#include "oracle.h"
#include "random.h"
#include "segments.h"

enum { FOREST_SITES = 7, FOREST_KEYS = 9 };

/* Records to be written later. */
struct forest_script {
    struct {
        uint64_t when, what;
    } record[8192];
    uint32_t records;
};

/* One thread's. Several may share an oracle: it sums over threads. */
struct forest {
    struct writer *w;             /* or NULL: */
    struct forest_script *script; /* (borrowed) */
    struct oracle *o;       /* (borrowed) */
    struct oracle_thread t; /* also tells what can come next */
    struct random random;
    uint64_t now;
    bool blocks;      /* some end out of order */
    bool odd_records; /* some records do not fit */
    void (*heard)(struct forest *f, uint64_t when, uint64_t what); /* NULL, or who else is told of each record */
    void *listener; /* its (borrowed) */
};

static inline void forest_plant(struct forest *f, struct writer *w, struct oracle *o, uint64_t seed)
{
    *f = (struct forest){.w = w, .o = o, .now = w ? w->last + 1000 : 0};
    f->random = random_seeded(seed);
    f->blocks = random_chance(&f->random, 50);
    f->odd_records = random_chance(&f->random, 30);
}

static inline void forest_free(struct forest *f) { oracle_thread_free(&f->t); }

static inline uint64_t forest_unfolded(const struct forest *f) { return f->w->head - f->w->folder.tail; }

static inline void forest_fold(struct forest *f, uint64_t count) { folder_run(&f->w->folder, f->w->ring, f->w->mask, count); }

static inline void forest_tell(struct forest *f, uint64_t when, uint64_t what)
{
    oracle_record(f->o, &f->t, when, what);
    if (f->heard)
        f->heard(f, when, what);
}

static inline void forest_write_down(struct forest *f, uint64_t when, uint64_t what)
{
    struct forest_script *s = f->script;
    s->record[s->records].when = when;
    s->record[s->records++].what = what;
    forest_tell(f, when, what);
}

static inline void forest_record(struct forest *f, uint64_t when, uint64_t what)
{
    if (!f->w) {
        forest_write_down(f, when, what);
        return;
    }
    if (forest_unfolded(f) >= f->w->mask - 8)
        forest_fold(f, 1 + random_below(&f->random, (uint32_t)forest_unfolded(f)));
    writer_store(f->w, when, what);
    forest_tell(f, when, what);
}

static inline void forest_pass(struct forest *f, uint64_t ticks) { f->now += ticks; }

/* Durations of all sizes, and equal instants. */
static inline void forest_pass_some(struct forest *f)
{
    static const uint32_t most[] = {1, 2, 20, 1000, 1000000};
    forest_pass(f, random_below(&f->random, most[random_below(&f->random, 5)]));
}

/* ---- what can happen next; each writes nothing when it cannot ---- */

static inline uint32_t forest_any_site(struct forest *f) { return 1 + random_below(&f->random, FOREST_SITES); }

static inline const struct oracle_call *forest_top(const struct forest *f) { return f->t.depth ? &f->t.call[f->t.depth] : NULL; }

static inline void forest_drop_ended(struct forest *f)
{
    while (forest_top(f) && forest_top(f)->ended)
        forest_record(f, f->now, record_pack(0, f->t.depth, RECORD_DROP, 0));
}

static inline void forest_enter(struct forest *f) { forest_record(f, f->now, record_pack(forest_any_site(f), f->t.depth + 1, RECORD_ENTER, 0)); }

static inline void forest_move_bytes(struct forest *f) { forest_record(f, f->now, record_pack_duration(f->now % 70001, RECORD_BYTES)); }

static inline void forest_leave(struct forest *f)
{
    static const unsigned flags[] = {0, 0, 0, 0, RECORD_RAISED, RECORD_ABANDONED};
    if (!forest_top(f))
        return;
    if (f->now % 3 == 0)
        forest_move_bytes(f);
    forest_record(f, f->now, record_pack(forest_top(f)->site, f->t.depth, RECORD_EXIT, flags[random_below(&f->random, 6)]));
    forest_drop_ended(f);
}

/* A call without callees and without anything that parts its two records: the writer's short way. */
static inline void forest_enter_and_leave(struct forest *f)
{
    forest_enter(f);
    forest_pass_some(f);
    forest_record(f, f->now, record_pack(forest_top(f)->site, f->t.depth, RECORD_EXIT, 0));
}

static inline bool forest_key_is_running(const struct forest *f, uint64_t key)
{
    for (uint32_t d = 1; d <= f->t.depth; d++)
        if (f->t.call[d].keyed && f->t.call[d].key == key)
            return true;
    return false;
}

/* One that no call runs or waits under; 0: none. */
static inline uint64_t forest_free_key(struct forest *f)
{
    for (uint64_t key = 8; key <= 8 * FOREST_KEYS; key += 8)
        if (!forest_key_is_running(f, key) && !oracle_waiting(&f->t, key))
            return key;
    return 0;
}

static inline void forest_begin_keyed(struct forest *f, unsigned kind)
{
    uint64_t key = 8 * (1 + random_below(&f->random, FOREST_KEYS));
    const struct oracle_call *w = oracle_waiting(&f->t, key);
    bool same_site = w && kind == RECORD_RESUME && random_chance(&f->random, 90);
    if (forest_key_is_running(f, key))
        return;
    uint32_t site = same_site ? w->site : forest_any_site(f);
    forest_record(f, key, record_pack(0, 0, RECORD_KEY, 0));
    forest_record(f, f->now, record_pack(site, f->t.depth + 1, kind, RECORD_KEYED));
}
static inline void forest_enter_keyed(struct forest *f) { forest_begin_keyed(f, RECORD_ENTER); }
static inline void forest_resume(struct forest *f) { forest_begin_keyed(f, RECORD_RESUME); }

/* A call that began on another thread goes on on this one. */
static inline void forest_move_here(struct forest *f)
{
    uint64_t key = 8 * (1 + random_below(&f->random, FOREST_KEYS));
    if (forest_key_is_running(f, key))
        return;
    forest_record(f, key, record_pack(0, 0, RECORD_KEY, 0));
    forest_record(f, f->now, record_pack(forest_any_site(f), f->t.depth + 1, RECORD_RESUME, RECORD_KEYED | RECORD_MOVED));
    forest_record(f, f->now, record_pack_duration(random_below(&f->random, 3000), RECORD_WAITED));
    forest_record(f, f->now, record_pack_duration(f->now % 3001, RECORD_WAITED) | record_pack(0, 0, 0, RECORD_COUNTED));
    forest_record(f, f->now, record_pack_duration(random_below(&f->random, 3000), RECORD_CARRIED));
}

/* The opposite; or another thread knows that it ended silently. It may be one that is not waiting here. */
static inline void forest_taken(struct forest *f)
{
    uint64_t key = 8 * (1 + random_below(&f->random, FOREST_KEYS));
    forest_record(f, key, record_pack(0, 0, RECORD_KEY, 0));
    forest_record(f, f->now, record_pack(0, 0, RECORD_TAKEN, random_chance(&f->random, 20) ? RECORD_SILENT : 0));
}

static inline void forest_suspend(struct forest *f)
{
    if (!forest_top(f) || !forest_top(f)->keyed)
        return;
    forest_record(f, f->now, record_pack(forest_top(f)->site, f->t.depth, RECORD_SUSPEND, 0));
    forest_drop_ended(f);
}

/* The stack is left for another one: all or some of what is open waits, and may come back in any order. */
static inline void forest_put_aside(struct forest *f)
{
    uint32_t count = 1 + random_below(&f->random, 4);
    for (; count && forest_top(f); count--) {
        uint64_t key = forest_top(f)->keyed ? forest_top(f)->key : forest_free_key(f);
        if (!key)
            return;
        forest_record(f, key, record_pack(0, 0, RECORD_KEY, 0));
        forest_record(f, f->now, record_pack(forest_top(f)->site, f->t.depth, RECORD_SUSPEND, RECORD_KEYED));
        forest_drop_ended(f);
    }
}

static inline void forest_end_below(struct forest *f)
{
    if (!f->blocks || f->t.depth < 2)
        return;
    uint32_t depth = 1 + random_below(&f->random, f->t.depth - 1);
    const struct oracle_call *c = &f->t.call[depth];
    if (!c->ended)
        forest_record(f, f->now, record_pack(c->site, depth, RECORD_EXIT, random_chance(&f->random, 20) ? RECORD_RAISED : 0));
}

static inline void forest_leave_cpu(struct forest *f)
{
    uint32_t off = random_below(&f->random, 5000);
    forest_pass(f, off);
    forest_record(f, f->now, record_pack_duration(off, RECORD_OFF_CPU));
}

static inline void forest_take_recording_time(struct forest *f)
{
    uint32_t own = random_below(&f->random, 500);
    forest_pass(f, own);
    forest_record(f, f->now, record_pack_duration(own, RECORD_OWN));
}

/* All that is open is cut. In a script: a record of no kind for each. */
static inline void forest_cut(struct forest *f)
{
    if (!f->w) {
        while (f->t.depth)
            forest_write_down(f, f->now, record_pack(0, 0, RECORD_NONE, 0));
        return;
    }
    uint64_t first = f->w->head;
    f->w->last = f->now;
    writer_cut(f->w, f->now);
    for (; first < f->w->head; first++)
        forest_tell(f, f->now, record_pack(0, 0, RECORD_NONE, 0));
}

static inline void forest_stop(struct forest *f)
{
    if (random_chance(&f->random, 10))
        forest_cut(f);
}

/* Ends of what did not begin. */
static inline void forest_odd_record(struct forest *f)
{
    uint32_t depth = f->t.depth;
    if (!f->odd_records)
        return;
    const uint64_t odd[] = {
        record_pack(1, 0, RECORD_EXIT, 0),
        record_pack(1, depth + 1, RECORD_EXIT, 0),
        record_pack(1, depth + 2, RECORD_SUSPEND, 0),
        record_pack(0, 0, RECORD_KINDS, 0),
        depth ? record_pack(FOREST_SITES + 1, depth, RECORD_EXIT, RECORD_RAISED) : record_pack(0, 0, 15, 0),
        record_pack_duration(7, RECORD_WAITED), /* odd unless a keyed call is on top */
        record_pack_duration(8, RECORD_CARRIED),
    };
    forest_record(f, f->now, odd[random_below(&f->random, sizeof odd / sizeof *odd)]);
}

static void (*const forest_events[])(struct forest *) = {
    forest_enter,    forest_enter,   forest_enter,           forest_enter,           forest_leave,
    forest_leave,    forest_leave,   forest_leave,           forest_enter_and_leave, forest_enter_and_leave,
    forest_resume,   forest_resume,  forest_enter_keyed,     forest_suspend,         forest_suspend,
    forest_end_below, forest_leave_cpu, forest_take_recording_time, forest_stop,     forest_odd_record,
    forest_put_aside, forest_move_here, forest_taken,
};

static inline void forest_grow(struct forest *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        forest_pass_some(f);
        forest_events[random_below(&f->random, sizeof forest_events / sizeof *forest_events)](f);
    }
}

#endif
