/* Folding against an oracle: random forests of calls with recursion, generators that are resumed in odd orders, blocks
 * ended out of order, time off the CPU, recording time, stops and resets; a random part of each folded by the writer and
 * the rest by the reader. Ticks are synthetic and written as records. */
#include <criterion/criterion.h>

#include "../support/oracle.h"
#include "../support/random.h"
#include "../support/segments.h"

enum { SITES = 7, KEYS = 5, CAPACITY = 16 << 20 };

struct forest {
    struct test_segment s;
    struct writer *w;
    struct oracle o;
    struct oracle_thread t; /* also tells what can come next */
    struct random random;
    uint64_t now;
    bool blocks;      /* some end out of order */
    bool odd_records; /* some records do not fit */
};

/* ---- writing ---- */

static void forest_open(struct forest *f)
{
    struct lanes_options o = small_lanes();
    *f = (struct forest){.now = 0};
    cr_assert_eq(segment_begin(&f->s, CAPACITY, &o), 0);
    intern_numbered(&f->s, SITES);
    f->w = lanes_open(f->s.lanes, "forest");
    cr_assert(f->w);
    f->now = f->w->last + 1000;
    oracle_init(&f->o, SITES);
}

static void forest_close(struct forest *f)
{
    oracle_thread_free(&f->t);
    oracle_free(&f->o);
    segment_end(&f->s);
}

static void forest_restart(struct forest *f, uint64_t seed)
{
    struct segment_header *h = f->s.segment.header;
    uint64_t own_clock = 0;
    atomic_fetch_add(&h->resets, 1);
    writer_reset(f->w, h->resets);
    oracle_clear(&f->o);
    oracle_thread_free(&f->t);
    f->t.clock = own_clock;
    f->random = random_seeded(seed);
    f->blocks = random_chance(&f->random, 50);
    f->odd_records = random_chance(&f->random, 30);
}

static uint64_t unfolded(const struct forest *f) { return f->w->head - f->w->folder.tail; }

static void fold(struct forest *f, uint64_t count) { folder_run(&f->w->folder, f->w->ring, f->w->mask, count); }

static void record(struct forest *f, uint64_t when, uint64_t what)
{
    if (unfolded(f) >= f->w->mask - 8)
        fold(f, 1 + random_below(&f->random, (uint32_t)unfolded(f)));
    writer_store(f->w, when, what);
    oracle_record(&f->o, &f->t, when, what);
}

static void pass(struct forest *f, uint64_t ticks) { f->now += ticks; }

/* Durations of all sizes, and equal instants. */
static void pass_some(struct forest *f)
{
    static const uint32_t most[] = {1, 2, 20, 1000, 1000000};
    pass(f, random_below(&f->random, most[random_below(&f->random, 5)]));
}

/* ---- what can happen next; each writes nothing when it cannot ---- */

static uint32_t any_site(struct forest *f) { return 1 + random_below(&f->random, SITES); }

static const struct oracle_call *top(const struct forest *f) { return f->t.depth ? &f->t.call[f->t.depth] : NULL; }

static void drop_ended(struct forest *f)
{
    while (top(f) && top(f)->ended)
        record(f, f->now, record_pack(0, f->t.depth, RECORD_DROP, 0));
}

static void enter(struct forest *f) { record(f, f->now, record_pack(any_site(f), f->t.depth + 1, RECORD_ENTER, 0)); }

static void leave(struct forest *f)
{
    static const unsigned flags[] = {0, 0, 0, 0, RECORD_RAISED, RECORD_ABANDONED};
    if (!top(f))
        return;
    record(f, f->now, record_pack(top(f)->site, f->t.depth, RECORD_EXIT, flags[random_below(&f->random, 6)]));
    drop_ended(f);
}

/* A call without callees and without anything that parts its two records: the writer's short way. */
static void enter_and_leave(struct forest *f)
{
    enter(f);
    pass_some(f);
    record(f, f->now, record_pack(top(f)->site, f->t.depth, RECORD_EXIT, 0));
}

static bool key_is_running(const struct forest *f, uint64_t key)
{
    for (uint32_t d = 1; d <= f->t.depth; d++)
        if (f->t.call[d].keyed && f->t.call[d].key == key)
            return true;
    return false;
}

static void begin_keyed(struct forest *f, unsigned kind)
{
    uint64_t key = 8 * (1 + random_below(&f->random, KEYS));
    const struct oracle_call *w = oracle_waiting(&f->t, key);
    bool same_site = w && kind == RECORD_RESUME && random_chance(&f->random, 90);
    if (key_is_running(f, key))
        return;
    uint32_t site = same_site ? w->site : any_site(f);
    record(f, key, record_pack(0, 0, RECORD_KEY, 0));
    record(f, f->now, record_pack(site, f->t.depth + 1, kind, RECORD_KEYED));
}
static void enter_keyed(struct forest *f) { begin_keyed(f, RECORD_ENTER); }
static void resume(struct forest *f) { begin_keyed(f, RECORD_RESUME); }

static void suspend(struct forest *f)
{
    if (!top(f) || !top(f)->keyed)
        return;
    record(f, f->now, record_pack(top(f)->site, f->t.depth, RECORD_SUSPEND, 0));
    drop_ended(f);
}

static void end_below(struct forest *f)
{
    if (!f->blocks || f->t.depth < 2)
        return;
    uint32_t depth = 1 + random_below(&f->random, f->t.depth - 1);
    const struct oracle_call *c = &f->t.call[depth];
    if (!c->ended && !c->keyed)
        record(f, f->now, record_pack(c->site, depth, RECORD_EXIT, random_chance(&f->random, 20) ? RECORD_RAISED : 0));
}

static void leave_cpu(struct forest *f)
{
    uint32_t off = random_below(&f->random, 5000);
    pass(f, off);
    record(f, f->now, record_pack_duration(off, RECORD_OFF_CPU));
}

static void take_recording_time(struct forest *f)
{
    uint32_t own = random_below(&f->random, 500);
    pass(f, own);
    record(f, f->now, record_pack_duration(own, RECORD_OWN));
}

static void stop(struct forest *f)
{
    if (!random_chance(&f->random, 10))
        return;
    uint64_t first = f->w->head;
    f->w->last = f->now;
    writer_cut(f->w, f->now);
    for (; first < f->w->head; first++)
        oracle_record(&f->o, &f->t, f->now, record_pack(0, 0, RECORD_NONE, 0));
}

/* Ends of what did not begin. */
static void odd_record(struct forest *f)
{
    uint32_t depth = f->t.depth;
    if (!f->odd_records)
        return;
    const uint64_t odd[] = {
        record_pack(1, 0, RECORD_EXIT, 0),
        record_pack(1, depth + 1, RECORD_EXIT, 0),
        record_pack(1, depth + 2, RECORD_SUSPEND, 0),
        record_pack(0, 0, RECORD_KINDS, 0),
        depth ? record_pack(SITES + 1, depth, RECORD_EXIT, RECORD_RAISED) : record_pack(0, 0, 15, 0),
    };
    record(f, f->now, odd[random_below(&f->random, 5)]);
}

static void (*const events[])(struct forest *) = {
    enter, enter, enter, enter, leave, leave, leave, leave, enter_and_leave, enter_and_leave, enter_keyed, resume, resume,
    suspend, suspend, end_below, leave_cpu, take_recording_time, stop, odd_record,
};

static void grow(struct forest *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        pass_some(f);
        events[random_below(&f->random, sizeof events / sizeof *events)](f);
    }
}

/* ---- looking ---- */

static struct profile profile_here(const struct forest *f)
{
    struct view v;
    struct profile p;
    cr_assert_eq(view_of_memory(&v, f->s.segment.base, f->s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(profile_of(&p, &v, 0), 0);
    return p;
}

static void check(const struct forest *f, uint64_t seed, bool paths)
{
    struct oracle_why why;
    struct profile p = profile_here(f);
    struct oracle o = oracle_copy(&f->o);
    struct oracle_thread t = oracle_thread_copy(&f->t);
    oracle_close(&o, &t, t.last);
    cr_assert(oracle_check(&why, &o, &p), "seed %lu: %s", (unsigned long)seed, why.text);
    if (paths)
        cr_assert(oracle_check_paths(&why, &t, &p, p.threads ? p.thread[0].first_root : 0, 0), "seed %lu: %s", (unsigned long)seed, why.text);
    cr_assert(p.unpathed == 0 || !paths);
    oracle_thread_free(&t);
    oracle_copy_free(&o);
    profile_free(&p);
}

static void grow_and_check(struct forest *f, uint64_t seed, bool paths)
{
    forest_restart(f, seed);
    for (int i = 0; i < 4; i++) {
        grow(f, 1 + random_below(&f->random, 700));
        if (random_chance(&f->random, 50))
            fold(f, random_below(&f->random, (uint32_t)unfolded(f) + 1));
        check(f, seed, paths);
    }
}

Test(fold, random_forests_agree_with_the_oracle)
{
    struct forest f;
    forest_open(&f);
    for (uint64_t seed = 1; seed <= 400; seed++)
        grow_and_check(&f, seed, true);
    forest_close(&f);
}

Test(fold, forests_whose_paths_are_given_up_agree_per_site_and_pair)
{
    static const struct folder_limits limits[] = {
        {.nodes = 1, .depth = 512}, {.nodes = 2, .depth = 512}, {.nodes = 12, .depth = 512}, {.nodes = 40, .depth = 5}, {.nodes = 16384, .depth = 0},
        {.nodes = 16384, .depth = 1}, {.nodes = 16384, .depth = 4},
    };
    struct forest f;
    forest_open(&f);
    for (uint64_t seed = 1000; seed < 1400; seed++) {
        const struct folder_limits *l = &limits[seed % (sizeof limits / sizeof *limits)];
        f.w->folder.node_limit = l->nodes;
        f.w->folder.depth_limit = l->depth;
        grow_and_check(&f, seed, false);
    }
    forest_close(&f);
}
