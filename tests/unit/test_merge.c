/* Threads that have exited and are merged: random forests on many lanes against one oracle that sums over threads. */
#include <criterion/criterion.h>

#include "../support/forest.h"

enum { CAPACITY = 32 << 20, THREADS = 12 };

struct lives {
    struct test_segment s;
    struct oracle o;
    struct forest life[THREADS];
    uint32_t begun, ended; /* the oldest are merged first */
};

static void lives_open(struct lives *l, uint32_t keep_exited, const struct folder_limits *limits)
{
    struct lanes_options o = small_lanes();
    *l = (struct lives){.begun = 0};
    o.keep_exited = keep_exited;
    o.limits = *limits;
    cr_assert_eq(segment_begin(&l->s, CAPACITY, &o), 0);
    intern_numbered(&l->s, FOREST_SITES);
    oracle_init(&l->o, FOREST_SITES);
}

static void lives_close(struct lives *l)
{
    for (uint32_t i = 0; i < l->begun; i++)
        forest_free(&l->life[i]);
    oracle_free(&l->o);
    segment_end(&l->s);
}

static void begin_life(struct lives *l, uint64_t seed)
{
    struct writer *w = open_lane(&l->s, "mortal");
    struct forest *f = &l->life[l->begun];
    cr_assert(w);
    forest_plant(f, w, &l->o, seed);
    for (uint32_t i = 0; i < l->begun; i++) /* its ring may have been another's, whose instants must lie before */
        f->now = l->life[i].now > f->now ? l->life[i].now : f->now;
    l->begun++;
}

/* Recording stops before the thread ends, so that its last calls end at a synthetic instant, too. */
static void end_life(struct lives *l)
{
    struct forest *f = &l->life[l->ended++];
    forest_cut(f);
    lanes_close(l->s.lanes, f->w);
}

/* When a thread with a row of its own was last heard of: ended ones have no ring to tell. */
static uint64_t heard_of(const struct lives *l, uint32_t i)
{
    const struct lane *lane = l->life[i].w->lane;
    uint64_t last = l->life[i].t.last;
    return i < l->ended ? lane->ended : last > lane->began ? last : lane->began;
}

static void check(struct lives *l)
{
    struct view v;
    struct profile p;
    struct oracle_why why;
    struct oracle o = oracle_copy(&l->o);
    uint32_t merged = l->s.segment.header->merges;
    uint64_t asof = 0;
    for (uint32_t i = merged; i < l->begun; i++)
        asof = heard_of(l, i) > asof ? heard_of(l, i) : asof;
    for (uint32_t i = 0; i < l->begun; i++) {
        struct oracle_thread t = oracle_thread_copy(&l->life[i].t);
        oracle_close(&o, &t, asof);
        oracle_thread_free(&t);
    }
    cr_assert_eq(open_as_reader(&v, &l->s.segment), 0);
    cr_assert_eq(profile_of(&p, &v, 0), 0);
    cr_assert(oracle_check(&why, &o, &p), "%u begun, %u ended, %u merged: %s", l->begun, l->ended, merged, why.text);
    oracle_copy_free(&o);
    profile_free(&p);
    view_close(&v);
}

/* Threads begin and end, first come, first gone. */
static void live_and_die(uint64_t seed, uint32_t keep_exited, const struct folder_limits *limits)
{
    struct lives l;
    struct random r = random_seeded(seed);
    lives_open(&l, keep_exited, limits);
    while (l.ended < THREADS) {
        bool begins = l.begun < THREADS && (l.begun == l.ended || random_chance(&r, 60));
        if (begins)
            begin_life(&l, random_next(&r));
        else
            end_life(&l);
        for (uint32_t i = l.ended; i < l.begun; i++)
            forest_grow(&l.life[i], random_below(&r, 300));
        check(&l);
    }
    cr_assert(keep_exited >= THREADS || l.s.segment.header->merges > 0);
    lives_close(&l);
}

Test(merge, sums_over_exited_threads_are_kept)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        live_and_die(seed, (uint32_t)seed % 4, &folder_default_limits);
}

/* The merged lane holds fewer paths than the threads have: they go to (other), sites and pairs stay exact. */
Test(merge, paths_that_find_no_room_keep_their_sums)
{
    static const struct folder_limits limits[] = {
        {.nodes = 10, .depth = 512, .suspended = 1000}, {.nodes = 16384, .depth = 3, .suspended = 1000}, {.nodes = 1, .depth = 1, .suspended = 1000}};
    for (uint64_t seed = 100; seed < 112; seed++)
        live_and_die(seed, (uint32_t)seed % 3, &limits[seed % 3]);
}

/* ---- single rules ---- */

static void one_call(struct lives *l, uint32_t site)
{
    struct writer *w = open_lane(&l->s, "once");
    writer_enter(w, site);
    writer_exit(w, site, 0);
    lanes_close(l->s.lanes, w);
}

static struct profile profile_now(const struct lives *l)
{
    struct view v;
    struct profile p;
    cr_assert_eq(open_as_reader(&v, &l->s.segment), 0);
    cr_assert_eq(profile_of(&p, &v, 0), 0);
    view_close(&v);
    return p;
}

Test(merge, the_last_exited_threads_keep_their_rows)
{
    enum { KEPT = 3, ALL = 20 };
    struct lives l;
    lives_open(&l, KEPT, &folder_default_limits);
    for (uint32_t i = 0; i < ALL; i++)
        one_call(&l, 1 + i % FOREST_SITES);
    struct profile p = profile_now(&l);
    cr_assert_eq(p.threads, KEPT + 1);
    for (uint32_t i = 0; i < KEPT; i++)
        cr_assert(!p.thread[i].merged && p.node[p.thread[i].first_root].site == 1 + (ALL - KEPT + i) % FOREST_SITES);
    cr_assert(p.thread[KEPT].merged);
    cr_assert_eq(p.calls, ALL);
    profile_free(&p);
    lives_close(&l);
}

Test(merge, what_was_recorded_before_a_reset_is_not_merged)
{
    struct lives l;
    lives_open(&l, 0, &folder_default_limits);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            one_call(&l, 1);
        struct profile p = profile_now(&l);
        cr_assert_eq(p.calls, 5);
        profile_free(&p);
        l.s.segment.header->resets++;
        p = profile_now(&l);
        cr_assert_eq(p.calls, 0);
        profile_free(&p);
    }
    lives_close(&l);
}

static void put_back(struct lives *l, const char *before, uint32_t page)
{
    memcpy(segment_page_at(l->s.segment.base, page), before + (size_t)page * SEGMENT_PAGE, SEGMENT_PAGE);
}

static void put_chain_back(struct lives *l, const char *before, uint32_t page)
{
    for (; page; page = ((struct page_header *)segment_page_at(l->s.segment.base, page))->next)
        put_back(l, before, page);
}

/* A merge that is complete, but for what says so: nothing may count twice. */
Test(merge, a_merge_whose_end_was_not_noted_counts_once)
{
    struct lives l;
    lives_open(&l, 1, &folder_default_limits);
    for (int i = 0; i < 4; i++)
        one_call(&l, 2);
    uint64_t bytes = l.s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE;
    char *before = malloc(bytes);
    memcpy(before, l.s.segment.base, bytes);
    struct lane *merged = segment_page_at(l.s.segment.base, l.s.segment.header->graveyard);
    uint32_t began_at = commit_tail(merged->commit);
    struct lane *lane = open_lane(&l.s, "takes a merged one's lane")->lane;
    uint32_t page = (uint32_t)(((char *)lane - (char *)l.s.segment.base) / SEGMENT_PAGE);
    put_back(&l, before, page); /* as it was when the merge had not been noted */
    put_chain_back(&l, before, lane_side(lane)->chain[PAGE_NODE]);
    put_chain_back(&l, before, lane_side(lane)->chain[PAGE_HISTOGRAM]);
    merged->merging = (uint64_t)page << 32 | began_at;
    struct profile p = profile_now(&l);
    cr_assert(p.complete);
    cr_assert_eq(profile_site(&p, 2)->t.calls, 4);
    cr_assert_eq(profile_site(&p, 2)->spread.ended, 4);
    profile_free(&p);
    free(before);
    lives_close(&l);
}
