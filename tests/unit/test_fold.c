/* Folding against an oracle: random forests of calls with recursion, generators that are resumed in odd orders, blocks
 * ended out of order, time off the CPU, recording time, stops and resets; a random part of each folded by the writer and
 * the rest by the reader. Then the single rules, and what happens when there is no memory. */
#include <criterion/criterion.h>

#include "../support/forest.h"

enum { CAPACITY = 16 << 20 };

/* A segment with one thread. */
struct plot {
    struct test_segment s;
    struct writer *w;
    struct oracle o;
    struct forest f;
};

static void plot_open(struct plot *l, uint64_t capacity, uint32_t sites)
{
    struct lanes_options o = small_lanes();
    cr_assert_eq(segment_begin(&l->s, capacity, &o), 0);
    intern_numbered(&l->s, sites);
    l->w = open_lane(&l->s, "forest");
    cr_assert(l->w);
    oracle_init(&l->o, sites);
    forest_plant(&l->f, l->w, &l->o, 1);
}

static void plot_close(struct plot *l)
{
    forest_free(&l->f);
    oracle_free(&l->o);
    segment_end(&l->s);
}

/* A reset, and a new forest. */
static void plot_clear(struct plot *l, uint64_t seed)
{
    struct segment_header *h = l->s.segment.header;
    atomic_fetch_add(&h->resets, 1);
    writer_reset(l->w, h->resets);
    oracle_clear(&l->o);
    forest_free(&l->f);
    l->w->last = l->f.now;
    forest_plant(&l->f, l->w, &l->o, seed);
}

/* ---- looking ---- */

static struct profile profile_here(const struct plot *l)
{
    struct view v;
    struct profile p;
    cr_assert_eq(view_of_memory(&v, l->s.segment.base, l->s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(profile_of(&p, &v, 0), 0);
    return p;
}

static void check(const struct plot *l, uint64_t seed, bool paths)
{
    struct oracle_why why;
    struct profile p = profile_here(l);
    struct oracle o = oracle_copy(&l->o);
    struct oracle_thread t = oracle_thread_copy(&l->f.t);
    oracle_close(&o, &t, t.last);
    cr_assert(oracle_check(&why, &o, &p), "seed %lu: %s", (unsigned long)seed, why.text);
    if (paths)
        cr_assert(oracle_check_paths(&why, &t, &p, p.threads ? p.thread[0].first_root : 0, 0), "seed %lu: %s", (unsigned long)seed, why.text);
    cr_assert(p.unpathed == 0 || !paths);
    oracle_thread_free(&t);
    oracle_copy_free(&o);
    profile_free(&p);
}

static void grow_and_check(struct plot *l, uint64_t seed, bool paths)
{
    plot_clear(l, seed);
    for (int i = 0; i < 4; i++) {
        forest_grow(&l->f, 1 + random_below(&l->f.random, 700));
        if (random_chance(&l->f.random, 50))
            forest_fold(&l->f, random_below(&l->f.random, (uint32_t)forest_unfolded(&l->f) + 1));
        check(l, seed, paths);
    }
}

Test(fold, random_forests_agree_with_the_oracle)
{
    struct plot l;
    plot_open(&l, CAPACITY, FOREST_SITES);
    for (uint64_t seed = 1; seed <= 400; seed++)
        grow_and_check(&l, seed, true);
    plot_close(&l);
}

Test(fold, forests_whose_paths_are_given_up_agree_per_site_and_pair)
{
    static const struct folder_limits limits[] = {
        {.nodes = 1, .depth = 512}, {.nodes = 2, .depth = 512}, {.nodes = 12, .depth = 512}, {.nodes = 40, .depth = 5}, {.nodes = 16384, .depth = 0},
        {.nodes = 16384, .depth = 1}, {.nodes = 16384, .depth = 4},
    };
    struct plot l;
    plot_open(&l, CAPACITY, FOREST_SITES);
    for (uint64_t seed = 1000; seed < 1400; seed++) {
        const struct folder_limits *limit = &limits[seed % (sizeof limits / sizeof *limits)];
        l.w->folder.node_limit = limit->nodes;
        l.w->folder.depth_limit = limit->depth;
        grow_and_check(&l, seed, false);
    }
    plot_close(&l);
}

/* ---- single rules ---- */

static const struct profile_site *site_in(const struct profile *p, uint32_t id)
{
    const struct profile_site *s = profile_site(p, id);
    cr_assert(s);
    return s;
}

static void at(struct plot *l, uint64_t ticks, uint32_t site, uint32_t depth, unsigned kind, unsigned flags)
{
    forest_record(&l->f, l->w->lane->began + ticks, record_pack(site, depth, kind, flags));
}

static void key_record(struct plot *l, uint64_t key) { forest_record(&l->f, key, record_pack(0, 0, RECORD_KEY, 0)); }

/* Opens a forest, lets `write` write, looks at it twice: all folded by the reader, then all by the writer. */
static void written(void (*write)(struct plot *), void (*look_at)(const struct profile *))
{
    struct plot l;
    plot_open(&l, CAPACITY, FOREST_SITES);
    write(&l);
    for (int by_writer = 0; by_writer < 2; by_writer++) {
        if (by_writer)
            forest_fold(&l.f, forest_unfolded(&l.f));
        struct profile p = profile_here(&l);
        cr_assert_eq(p.clamped, 0);
        look_at(&p);
        profile_free(&p);
        check(&l, 0, true);
    }
    plot_close(&l);
}

/*  a 0 ......... 40      a and b end in the order a, b; c outlives both
 *    b 10 ........... 50
 *      c 20 ............... 60 */
static void interleaved_blocks(struct plot *l)
{
    at(l, 0, 1, 1, RECORD_ENTER, 0);
    at(l, 10, 2, 2, RECORD_ENTER, 0);
    at(l, 20, 3, 3, RECORD_ENTER, 0);
    at(l, 40, 1, 1, RECORD_EXIT, 0);
    at(l, 50, 2, 2, RECORD_EXIT, 0);
    at(l, 60, 3, 3, RECORD_EXIT, 0);
    at(l, 60, 0, 2, RECORD_DROP, 0);
    at(l, 60, 0, 1, RECORD_DROP, 0);
}
static void each_lasted_and_has_its_own_time(const struct profile *p)
{
    static const uint64_t lasted[] = {40, 40, 40}, own[] = {10, 10, 40};
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(site_in(p, i + 1)->spread.max, lasted[i]);
        cr_assert_eq(site_in(p, i + 1)->t.exclusive, own[i]);
        cr_assert_eq(site_in(p, i + 1)->t.calls, 1);
    }
    cr_assert_eq(p->thread[0].roots, 60);
}
Test(fold, blocks_that_interleave) { written(interleaved_blocks, each_lasted_and_has_its_own_time); }

/* The same, but the inner block ends first: what it took is not the outer one's. */
static void inner_block_first(struct plot *l)
{
    at(l, 0, 1, 1, RECORD_ENTER, 0);
    at(l, 10, 2, 2, RECORD_ENTER, 0);
    at(l, 20, 3, 3, RECORD_ENTER, 0);
    at(l, 40, 2, 2, RECORD_EXIT, 0);
    at(l, 40, 1, 1, RECORD_EXIT, 0);
    at(l, 60, 3, 3, RECORD_EXIT, 0);
    at(l, 60, 0, 2, RECORD_DROP, 0);
    at(l, 60, 0, 1, RECORD_DROP, 0);
}
static void outer_has_its_own_time(const struct profile *p)
{
    cr_assert_eq(site_in(p, 1)->t.exclusive, 10);
    cr_assert_eq(site_in(p, 2)->t.exclusive, 10);
    cr_assert_eq(site_in(p, 3)->t.exclusive, 40);
    cr_assert_eq(p->thread[0].roots, 60);
}
Test(fold, inner_block_ends_before_the_outer_one) { written(inner_block_first, outer_has_its_own_time); }

static void a_call_of_no_ticks_among_others(struct plot *l)
{
    at(l, 5, 1, 1, RECORD_ENTER, 0);
    at(l, 5, 1, 1, RECORD_EXIT, 0);
    at(l, 6, 2, 1, RECORD_ENTER, 0);
    at(l, 7, 1, 2, RECORD_ENTER, 0);
    at(l, 9, 1, 2, RECORD_EXIT, 0);
    at(l, 9, 2, 1, RECORD_EXIT, 0);
}
static void the_shortest_took_none(const struct profile *p)
{
    cr_assert_eq(site_in(p, 1)->spread.min, 0);
    cr_assert_eq(site_in(p, 1)->spread.max, 2);
    cr_assert_eq(site_in(p, 3)->spread.min, 0);
    cr_assert_eq(site_in(p, 3)->spread.ended, 0);
}
Test(fold, a_minimum_of_no_ticks) { written(a_call_of_no_ticks_among_others, the_shortest_took_none); }

static void a_generator_of_another_thread(struct plot *l)
{
    key_record(l, 64);
    at(l, 10, 1, 1, RECORD_RESUME, RECORD_KEYED);
    at(l, 30, 1, 1, RECORD_SUSPEND, 0);
    key_record(l, 64);
    at(l, 40, 1, 1, RECORD_RESUME, RECORD_KEYED);
}
static void its_time_counts_the_call_does_not(const struct profile *p)
{
    const struct profile_times *t = &site_in(p, 1)->t;
    cr_assert_eq(t->calls, 0);
    cr_assert_eq(t->open, 0, "what did not begin here is not open here");
    cr_assert_eq(t->inclusive, 20);
    cr_assert_eq(t->waited, 10);
}
Test(fold, a_foreign_call_is_not_open) { written(a_generator_of_another_thread, its_time_counts_the_call_does_not); }

static void memory_of_a_generator_used_again(struct plot *l)
{
    key_record(l, 64);
    at(l, 10, 1, 1, RECORD_ENTER, RECORD_KEYED);
    at(l, 30, 1, 1, RECORD_SUSPEND, 0);
    key_record(l, 64);
    at(l, 100, 2, 1, RECORD_RESUME, RECORD_KEYED);
    at(l, 110, 2, 1, RECORD_EXIT, 0);
}
static void the_first_ended_silently(const struct profile *p)
{
    cr_assert_eq(p->silent_ends, 1);
    cr_assert_eq(site_in(p, 1)->t.suspended, 0);
    cr_assert_eq(site_in(p, 2)->t.calls, 0);
    cr_assert_eq(site_in(p, 2)->spread.ended, 0);
    cr_assert_eq(site_in(p, 2)->t.waited, 0);
}
Test(fold, a_key_that_another_function_has) { written(memory_of_a_generator_used_again, the_first_ended_silently); }

/* The clock of one core may be behind another's. */
Test(fold, a_clock_that_steps_back_is_counted_and_gives_nothing)
{
    struct plot l;
    plot_open(&l, CAPACITY, FOREST_SITES);
    at(&l, 100, 1, 1, RECORD_ENTER, 0);
    at(&l, 90, 1, 1, RECORD_EXIT, 0);
    forest_fold(&l.f, 1);
    struct profile p = profile_here(&l);
    cr_assert_eq(p.clamped, 1);
    cr_assert_eq(site_in(&p, 1)->t.inclusive, 0);
    cr_assert_eq(site_in(&p, 1)->t.calls, 1);
    profile_free(&p);
    plot_close(&l);
}

Test(fold, more_generators_wait_than_there_is_room_for)
{
    enum { WAITING = 6, ROOM = 4 };
    struct plot l;
    plot_open(&l, CAPACITY, FOREST_SITES);
    l.o.suspended_limit = l.w->folder.suspended_limit = ROOM;
    for (uint64_t i = 1; i <= WAITING; i++) {
        key_record(&l, 8 * i);
        at(&l, 10 * i, 1, 1, RECORD_ENTER, RECORD_KEYED);
        at(&l, 10 * i + 5, 1, 1, RECORD_SUSPEND, 0);
    }
    forest_fold(&l.f, forest_unfolded(&l.f));
    check(&l, 1, true);
    for (uint64_t i = 1; i <= WAITING; i++) {
        key_record(&l, 8 * i);
        at(&l, 100 + 10 * i, 1, 1, RECORD_RESUME, RECORD_KEYED);
        at(&l, 100 + 10 * i + 2, 1, 1, RECORD_EXIT, 0);
    }
    check(&l, 2, true);
    struct profile p = profile_here(&l);
    cr_assert_eq(p.lost_waits, WAITING - ROOM);
    cr_assert_eq(p.lost, 0, "each is counted");
    cr_assert_eq(site_in(&p, 1)->t.calls, WAITING);
    cr_assert_eq(site_in(&p, 1)->spread.ended, ROOM);
    profile_free(&p);
    plot_close(&l);
}

/* ---- deep, and out of memory ---- */

static void push_raw(struct plot *l, uint64_t when, uint64_t what)
{
    if (forest_unfolded(&l->f) >= l->w->mask)
        forest_fold(&l->f, forest_unfolded(&l->f));
    writer_store(l->w, when, what);
}

/* Deeper than 16 bits can say, and than the tree goes. */
Test(fold, recursion_deeper_than_a_record_can_tell)
{
    enum { DEPTH = 200000 };
    struct plot l;
    plot_open(&l, CAPACITY, FOREST_SITES);
    uint64_t t = l.w->lane->began;
    for (uint32_t d = 1; d <= DEPTH; d++)
        push_raw(&l, ++t, record_pack(1 + d % 2, d, RECORD_ENTER, 0));
    for (uint32_t d = DEPTH; d >= 1; d--)
        push_raw(&l, ++t, record_pack(1 + d % 2, d, RECORD_EXIT, 0));
    struct profile p = profile_here(&l);
    struct oracle_why why;
    cr_assert_eq(p.mismatched, 0);
    cr_assert_eq(p.lost, 0);
    cr_assert_eq(site_in(&p, 1)->t.calls, DEPTH / 2);
    cr_assert_eq(site_in(&p, 2)->t.calls, DEPTH / 2);
    cr_assert_eq(site_in(&p, 1)->t.primitive_calls, 1);
    cr_assert_eq(site_in(&p, 2)->t.inclusive, 2 * DEPTH - 1);
    cr_assert_eq(site_in(&p, 1)->t.inclusive, 2 * DEPTH - 3);
    cr_assert_eq(p.thread[0].roots, 2 * DEPTH - 1);
    cr_assert(oracle_identity(&why, &p), "%s", why.text);
    profile_free(&p);
    plot_close(&l);
}

static uint64_t all_calls(const struct profile *p)
{
    uint64_t calls = 0;
    for (uint32_t i = 0; i < p->sites; i++)
        calls += p->site[i].t.calls;
    return calls;
}

/* Calls of ever new sites at ever new places until no page is to be had, and on. */
static uint64_t exhaust(struct plot *l, uint32_t sites, uint32_t calls)
{
    struct random r = random_seeded(7);
    uint32_t open[64], depth = 0;
    uint64_t t = l->w->lane->began;
    for (uint32_t begun = 0; begun < calls || depth;) {
        bool enters = begun < calls && depth < 63 && random_chance(&r, 50);
        t += random_below(&r, 100);
        if (enters) {
            open[++depth] = 1 + random_below(&r, sites);
            push_raw(l, t, record_pack(open[depth], depth, RECORD_ENTER, 0));
            begun++;
        } else if (depth) {
            push_raw(l, t, record_pack(open[depth], depth, RECORD_EXIT, 0));
            depth--;
        }
    }
    forest_fold(&l->f, forest_unfolded(&l->f));
    return calls;
}

Test(fold, what_finds_no_memory_is_counted_and_the_rest_stays_whole)
{
    enum { MANY = 500, CALLS = 100000 };
    struct plot l;
    plot_open(&l, 1, MANY);
    uint64_t calls = exhaust(&l, MANY, CALLS);
    struct profile p = profile_here(&l);
    struct oracle_why why;
    cr_assert(p.lost > 0 && p.refused_growth > 0);
    cr_assert_eq(all_calls(&p) + p.lost, calls);
    cr_assert_eq(p.mismatched, 0);
    cr_assert_eq(p.clamped, 0);
    cr_assert(oracle_identity(&why, &p), "%s", why.text);
    profile_free(&p);
    plot_close(&l);
}

/* A stack that cannot grow: what is above it is lost, and nothing below is. */
Test(fold, calls_above_a_full_stack_are_lost_alone)
{
    enum { DEPTH = 30000 };
    struct plot l;
    plot_open(&l, 1, 1);
    uint64_t t = l.w->lane->began;
    for (int round = 0; round < 2; round++) {
        for (uint32_t d = 1; d <= DEPTH; d++)
            push_raw(&l, ++t, record_pack(1, d, RECORD_ENTER, 0));
        for (uint32_t d = DEPTH; d >= 1; d--)
            push_raw(&l, ++t, record_pack(1, d, RECORD_EXIT, 0));
    }
    forest_fold(&l.f, forest_unfolded(&l.f));
    struct profile p = profile_here(&l);
    cr_assert_gt(p.lost, 0);
    cr_assert_eq(site_in(&p, 1)->t.calls + p.lost, 2 * DEPTH);
    cr_assert_eq(p.mismatched, 0);
    cr_assert_eq(p.thread[0].roots, 2 * (2 * DEPTH - 1));
    profile_free(&p);
    plot_close(&l);
}

/* A block whose end finds its entry missing must not put all later ends out of step. */
Test(fold, blocks_above_a_full_stack_do_not_disturb_those_below)
{
    enum { DEPTH = 20000 };
    struct plot l;
    plot_open(&l, 1, 3);
    uint64_t t = l.w->lane->began;
    for (uint32_t d = 1; d <= DEPTH; d++)
        push_raw(&l, ++t, record_pack(1, d, RECORD_ENTER, 0));
    push_raw(&l, ++t, record_pack(2, DEPTH + 1, RECORD_ENTER, 0));
    push_raw(&l, ++t, record_pack(3, DEPTH + 2, RECORD_ENTER, 0));
    push_raw(&l, ++t, record_pack(2, DEPTH + 1, RECORD_EXIT, 0));
    push_raw(&l, ++t, record_pack(3, DEPTH + 2, RECORD_EXIT, 0));
    push_raw(&l, ++t, record_pack(0, DEPTH + 1, RECORD_DROP, 0));
    for (uint32_t d = DEPTH; d >= 1; d--)
        push_raw(&l, ++t, record_pack(1, d, RECORD_EXIT, 0));
    forest_fold(&l.f, forest_unfolded(&l.f));
    struct profile p = profile_here(&l);
    cr_assert_eq(commit_depth(l.w->lane->commit), 0);
    cr_assert_eq(p.mismatched, 1); /* the end below the top */
    cr_assert_eq(all_calls(&p) + p.lost, DEPTH + 2);
    profile_free(&p);
    plot_close(&l);
}
