#include <criterion/criterion.h>

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "chain.h"

#include "../support/random.h"
#include "../support/segments.h"

enum { CAPACITY = 32 << 20 };

static struct test_segment s;

static void begin_with(const struct lanes_options *o, uint64_t capacity)
{
    cr_assert_eq(segment_begin(&s, capacity, o), 0);
    intern_numbered(&s, 4);
}

static void begin(void)
{
    struct lanes_options o = small_lanes();
    begin_with(&o, CAPACITY);
}

static void end(void)
{
    if (s.sites)
        segment_end(&s);
}
TestSuite(lanes, .fini = end);

static struct profile profile_now(void)
{
    struct view v;
    struct profile p;
    cr_assert_eq(open_as_reader(&v, &s.segment), 0);
    cr_assert_eq(profile_of(&p, &v, PATIENT), 0);
    view_close(&v);
    cr_assert(p.complete);
    return p;
}

static const struct profile_times *times(const struct profile *p, uint32_t site) { return &profile_site(p, site)->t; }

/* ---- calls that change threads ---- */

enum { TRAVELLERS = 60, TRAVEL_LANES = 4, TRAVEL_STEPS = 6000 };

struct traveller {
    struct waiting at; /* since 0: it has not begun */
    uint32_t site;
};

static struct {
    struct random random;
    struct writer *lane[TRAVEL_LANES];
    struct traveller call[TRAVELLERS];
    uint64_t begun[5], raised[5], returned[5], silent;
} travel;

static uint64_t key_of(const struct traveller *c) { return 8 * (uint64_t)(1 + c - travel.call); }

static bool waits_in(const struct traveller *c, const struct writer *w)
{
    return c->at.writer == w && c->at.generation == w->lane->generation;
}

/* Its memory is another's now. */
static void begins_anew(struct traveller *c, struct writer *w)
{
    if (c->at.since && !waits_in(c, w))
        writer_end_silently(w, key_of(c), &c->at);
    travel.silent += c->at.since != 0;
    travel.returned[c->site] += c->at.since != 0;
    c->site = 1 + random_below(&travel.random, 4);
    c->at = (struct waiting){.carried = 0};
    writer_enter_keyed(w, c->site, key_of(c));
    travel.begun[c->site]++;
}

static void goes_on(struct traveller *c, struct writer *w)
{
    if (waits_in(c, w))
        writer_resume(w, c->site, key_of(c));
    else
        writer_resume_moved(w, c->site, key_of(c), &c->at);
}

static void visit(struct traveller *c, struct writer *w, uint32_t nested)
{
    if (c->at.since && random_chance(&travel.random, 95))
        goes_on(c, w);
    else
        begins_anew(c, w);
    uint64_t began = writer_time(w);
    if (nested && c > travel.call)
        visit(c - 1, w, nested - 1);
    bool waits = random_chance(&travel.random, 70), raises = random_chance(&travel.random, 30);
    if (waits) {
        writer_suspend(w, c->site);
        c->at = (struct waiting){w, w->lane->generation, w->last, c->at.carried + writer_time(w) - began, 0};
    } else {
        writer_exit(w, c->site, raises ? RECORD_RAISED : 0);
        travel.raised[c->site] += raises;
        travel.returned[c->site]++;
        c->at = (struct waiting){.since = 0};
    }
}

static void look_at_travellers(void)
{
    struct profile p = profile_now();
    uint64_t waiting[5] = {0};
    for (uint32_t i = 0; i < TRAVELLERS; i++)
        waiting[travel.call[i].site] += travel.call[i].at.since != 0;
    for (uint32_t site = 1; site <= 4; site++) {
        const struct profile_times *t = times(&p, site);
        cr_assert_eq(t->calls, travel.begun[site]);
        cr_assert_eq(t->raised, travel.raised[site]);
        cr_assert_eq(t->open, waiting[site]);
        cr_assert_eq(t->suspended, waiting[site]);
        cr_assert_eq(t->calls - t->open, travel.returned[site]);
    }
    uint64_t ended = 0, returned = 0;
    for (uint32_t site = 1; site <= 4; site++) {
        ended += profile_site(&p, site)->spread.ended;
        returned += travel.returned[site];
    }
    cr_assert_eq(p.silent_ends, travel.silent);
    cr_assert_eq(ended, returned - travel.silent, "each has a duration");
    cr_assert_eq(p.lost + p.mismatched + p.clamped + p.moving, 0);
    profile_free(&p);
}

static void travel_resets(void)
{
    uint32_t now = atomic_fetch_add(&s.segment.header->resets, 1) + 1;
    for (int i = 0; i < TRAVEL_LANES; i++)
        writer_reset(travel.lane[i], now);
    memset(travel.call, 0, sizeof travel.call);
    memset(travel.begun, 0, sizeof travel.begun);
    memset(travel.raised, 0, sizeof travel.raised);
    memset(travel.returned, 0, sizeof travel.returned);
    travel.silent = 0;
}

/* Threads end and others take their lanes, so that calls wait in live, ended and merged ones. */
static void travel_step(void)
{
    struct writer **lane = &travel.lane[random_below(&travel.random, TRAVEL_LANES)];
    uint32_t what = random_below(&travel.random, 1000);
    if (what < 20) {
        lanes_close(s.lanes, *lane);
        *lane = open_lane(&s, "traveller");
    } else if (what < 22)
        travel_resets();
    else if (what < 40)
        look_at_travellers();
    else
        visit(&travel.call[random_below(&travel.random, TRAVELLERS)], *lane, random_below(&travel.random, 4));
}

Test(lanes, calls_that_change_threads_are_open_where_they_are)
{
    struct lanes_options o = small_lanes();
    o.keep_exited = 2;
    begin_with(&o, CAPACITY);
    travel.random = random_seeded(4);
    for (int i = 0; i < TRAVEL_LANES; i++)
        travel.lane[i] = open_lane(&s, "traveller");
    for (int i = 0; i < TRAVEL_STEPS; i++)
        travel_step();
    look_at_travellers();
    cr_assert_gt(s.segment.header->merges, 50);
    cr_assert_gt(s.segment.header->moves, 500);
}

static void pass(uint64_t ticks)
{
    for (uint64_t until = clock_ticks() + ticks; clock_ticks() < until;)
        ;
}

/* What it ran on both threads is its duration, what it waited between them is its wait. */
Test(lanes, times_of_a_call_that_changes_threads)
{
    begin();
    struct writer *a = open_lane(&s, "a"), *b = open_lane(&s, "b");
    uint64_t before = clock_ticks();
    writer_enter_keyed(a, 1, 64);
    uint64_t began = writer_time(a);
    pass(100000);
    writer_suspend(a, 1);
    struct waiting at = {a, a->lane->generation, a->last, writer_time(a) - began, 0};
    pass(300000);
    writer_resume_moved(b, 1, 64, &at);
    pass(200000);
    writer_exit(b, 1, 0);
    uint64_t whole = clock_ticks() - before;
    struct profile p = profile_now();
    const struct profile_site *site = profile_site(&p, 1);
    cr_assert_eq(site->spread.ended, 1);
    cr_assert_eq(site->spread.min, site->t.inclusive, "its duration is all it ran");
    cr_assert_geq(site->t.inclusive, 300000);
    cr_assert_geq(site->t.waited, 300000);
    cr_assert_eq(site->t.elapsed, site->t.inclusive + site->t.waited);
    cr_assert_leq(site->t.elapsed, whole);
    cr_assert_eq(site->spread.elapsed_min, site->t.elapsed, "and its elapsed time is that with all waits");
    cr_assert_eq(site->spread.elapsed_max, site->t.elapsed);
    profile_free(&p);
}

/* There, it waited before it went over: this counts there once, and for the call. */
Test(lanes, waits_of_a_call_before_it_changes_threads)
{
    begin();
    struct writer *a = open_lane(&s, "a"), *b = open_lane(&s, "b");
    writer_enter_keyed(a, 1, 64);
    uint64_t began = writer_time(a);
    writer_suspend(a, 1);
    uint64_t ran = writer_time(a) - began, since = a->last;
    pass(200000);
    writer_resume(a, 1, 64);
    uint64_t waited = a->last - since;
    began = writer_time(a);
    writer_suspend(a, 1);
    struct waiting at = {a, a->lane->generation, a->last, ran + writer_time(a) - began, waited};
    pass(300000);
    writer_resume_moved(b, 1, 64, &at);
    writer_exit(b, 1, 0);
    struct profile p = profile_now();
    const struct profile_site *site = profile_site(&p, 1);
    cr_assert_geq(site->t.waited, 500000);
    cr_assert_eq(site->spread.ended, 1);
    cr_assert_eq(site->spread.elapsed_min, site->t.inclusive + site->t.waited);
    cr_assert_eq(site->spread.elapsed_max, site->t.elapsed);
    profile_free(&p);
}

Test(lanes, bytes_are_those_of_the_call_on_top)
{
    begin();
    struct writer *w = open_lane(&s, "moves bytes");
    writer_enter(w, 1);
    writer_bytes(w, 1000);
    writer_enter(w, 2);
    writer_bytes(w, UINT64_MAX); /* as many as a record has room for */
    writer_exit(w, 2, 0);
    writer_bytes(w, 24);
    writer_exit(w, 1, 0);
    lanes_close(s.lanes, w); /* and is merged, as others are */
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->bytes, 1024);
    cr_assert_eq(times(&p, 2)->bytes, RECORD_DURATION_MAX);
    profile_free(&p);
}

/* ---- and are looked at meanwhile ---- */

enum { RESTLESS = 10, RESTLESS_LOOKS = 100 };

static _Atomic bool at_rest;

static void *moves_calls_to_and_fro(void *unused)
{
    struct writer *lane[2] = {open_lane(&s, "to"), open_lane(&s, "fro")};
    struct waiting at[RESTLESS];
    for (uint64_t i = 0; i < RESTLESS; i++) {
        writer_enter_keyed(lane[0], 1, 8 * (i + 1));
        writer_suspend(lane[0], 1);
        at[i] = (struct waiting){lane[0], lane[0]->lane->generation, lane[0]->last, 0, 0};
    }
    for (uint64_t i = 0; !at_rest; i++) {
        struct writer *w = lane[at[i % RESTLESS].writer == lane[0]];
        writer_resume_moved(w, 1, 8 * (i % RESTLESS + 1), &at[i % RESTLESS]);
        writer_suspend(w, 1);
        at[i % RESTLESS] = (struct waiting){w, w->lane->generation, w->last, 0, 0};
        pass(i / 5000 % 2 ? 200 : 200000); /* too often for a look without one, and not */
    }
    return unused;
}

/* Each is open in one of two lanes that are copied one after the other. */
Test(lanes, calls_that_change_threads_while_they_are_read)
{
    pthread_t thread;
    begin();
    pthread_create(&thread, NULL, moves_calls_to_and_fro, NULL);
    for (int i = 0; i < RESTLESS_LOOKS;) {
        struct profile p = profile_now();
        uint64_t open = times(&p, 1)->open, off = open > RESTLESS ? open - RESTLESS : RESTLESS - open;
        if (times(&p, 1)->calls == RESTLESS) { /* else they are being begun */
            cr_assert_leq(off, p.moving);
            i++;
        }
        profile_free(&p);
    }
    at_rest = true;
    pthread_join(thread, NULL);
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->open, RESTLESS);
    cr_assert_eq(p.moving, 0);
    profile_free(&p);
}

/* A thread that does nothing but begin calls, of which others take each one, has room in its ring. */
Test(lanes, more_calls_are_taken_than_a_ring_holds)
{
    enum { MANY = 20000 };
    begin();
    struct writer *a = open_lane(&s, "a"), *b = open_lane(&s, "b");
    struct waiting at[64];
    for (uint64_t i = 0; i < MANY; i += 64) {
        for (uint64_t k = 0; k < 64; k++) {
            writer_enter_keyed(a, 1, 8 * (k + 1));
            writer_suspend(a, 1);
            at[k] = (struct waiting){a, a->lane->generation, a->last, 0, 0};
        }
        for (uint64_t k = 0; k < 64; k++) {
            writer_resume_moved(b, 1, 8 * (k + 1), &at[k]);
            writer_exit(b, 1, 0);
        }
    }
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->calls, (MANY + 63) / 64 * 64);
    cr_assert_eq(times(&p, 1)->open, 0);
    cr_assert_eq(p.lost + p.mismatched + p.clamped + p.silent_ends, 0);
    profile_free(&p);
}

/* ---- counts ---- */

enum { THREADS = 4, CALLS = 300000 };

static void *calls(void *unused)
{
    struct writer *w = open_lane(&s, "worker");
    for (int i = 0; i < CALLS; i++) {
        writer_enter(w, 1);
        writer_enter(w, 2);
        writer_exit(w, 2, i % 10 ? 0 : RECORD_RAISED);
        writer_exit(w, 1, 0);
    }
    lanes_close(s.lanes, w);
    return unused;
}

Test(lanes, every_call_of_every_thread_is_counted_though_rings_wrap_hundreds_of_times)
{
    pthread_t thread[THREADS];
    begin();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, calls, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->calls, THREADS * CALLS);
    cr_assert_eq(times(&p, 2)->calls, THREADS * CALLS);
    cr_assert_eq(times(&p, 2)->raised, THREADS * CALLS / 10);
    cr_assert_eq(p.threads, THREADS);
    cr_assert_eq(p.lost + p.clamped + p.mismatched, 0);
    cr_assert_gt(p.own, 0);
    cr_assert_geq(p.records, 4ull * THREADS * CALLS);
    profile_free(&p);
}

Test(lanes, generators_suspend_and_come_back)
{
    enum { ROUNDS = 50000, KEYS = 8 };
    begin();
    struct writer *w = open_lane(&s, "generators");
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t key = 64 * (1 + i % KEYS);
        if (i < KEYS)
            writer_enter_keyed(w, 3, key);
        else
            writer_resume(w, 3, key);
        writer_enter(w, 1);
        writer_exit(w, 1, 0);
        writer_suspend(w, 3);
    }
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 3)->calls, KEYS);
    cr_assert_eq(times(&p, 3)->open, KEYS);
    cr_assert_eq(times(&p, 3)->suspended, KEYS);
    cr_assert_eq(times(&p, 1)->calls, ROUNDS);
    cr_assert_eq(p.mismatched + p.lost + p.clamped, 0);
    profile_free(&p);
}

Test(lanes, blocks_of_two_tasks_interleave)
{
    enum { ROUNDS = 20000 };
    begin();
    struct writer *w = open_lane(&s, "tasks");
    for (int i = 0; i < ROUNDS; i++) {
        writer_enter(w, 1);
        writer_enter(w, 2);
        writer_exit_below(w, 1, 1, 0);
        writer_exit(w, 2, 0);
        writer_drop(w);
    }
    cr_assert_eq(w->depth, 0);
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->calls, ROUNDS);
    cr_assert_eq(times(&p, 2)->calls, ROUNDS);
    cr_assert_eq(times(&p, 1)->exclusive + times(&p, 2)->exclusive, p.thread[0].roots);
    cr_assert_eq(p.mismatched + p.clamped, 0);
    profile_free(&p);
}

/* ---- stops, resets ---- */

Test(lanes, a_stop_leaves_calls_open_and_begins_anew)
{
    begin();
    struct writer *w = open_lane(&s, "stopped");
    for (int round = 0; round < 3; round++) {
        writer_enter(w, 1);
        writer_enter(w, 2);
        writer_cut(w, clock_ticks());
        cr_assert_eq(w->depth, 0);
    }
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->calls, 3);
    cr_assert_eq(times(&p, 1)->open, 3);
    cr_assert_eq(times(&p, 2)->open, 3);
    cr_assert_eq(profile_site(&p, 1)->spread.ended, 0);
    profile_free(&p);
}

Test(lanes, a_reset_empties_what_it_is_told_to)
{
    begin();
    struct writer *w = open_lane(&s, "reset"), *idle = open_lane(&s, "idle");
    writer_enter(idle, 3);
    for (int round = 1; round <= 5; round++) {
        for (int i = 0; i < 5000; i++) {
            writer_enter(w, 1);
            writer_enter(w, 1 + (uint32_t)i % 4);
            writer_exit(w, 1 + (uint32_t)i % 4, 0);
            writer_exit(w, 1, 0);
        }
        s.segment.header->resets++;
        struct profile p = profile_now(); /* neither thread has noticed */
        cr_assert_eq(p.calls, 0);
        profile_free(&p);
        writer_reset(w, s.segment.header->resets);
        writer_enter(w, 2);
        writer_exit(w, 2, 0);
        p = profile_now();
        cr_assert_eq(p.calls, 1);
        cr_assert_eq(times(&p, 2)->calls, 1);
        profile_free(&p);
    }
}

/* Readers tell by its mark that a page has changed: one that was copied when the reset had emptied it is not what it is now. */
Test(lanes, pages_used_again_after_a_reset_are_marked)
{
    begin();
    struct writer *w = open_lane(&s, "reset");
    writer_enter(w, 1);
    writer_flush(w);
    writer_reset(w, ++s.segment.header->resets);
    unsigned used = 0;
    for (enum page_kind kind = 0; kind < PAGE_KINDS; kind++) {
        if (!chain_item_size(kind))
            continue;
        chain_each_page(page, s.segment.base, word_get(&lane_side(w->lane)->chain[kind])) {
            cr_expect(!word_get(&page->used) || word_get(&page->change), "kind %d", (int)kind);
            used += word_get(&page->used) != 0;
        }
    }
    cr_assert_eq(used, 2); /* the root's node, and its entry on the stack */
}

/* ---- open calls ---- */

/* All folded: nothing in the ring says when the thread was last heard of. */
Test(lanes, an_open_call_has_lasted_even_if_the_ring_is_empty)
{
    begin();
    struct writer *w = open_lane(&s, "flushed");
    for (int i = 0; i < 100; i++) {
        writer_enter(w, 2);
        writer_exit(w, 2, 0);
    }
    writer_enter(w, 1);
    writer_enter(w, 2);
    writer_exit(w, 2, 0);
    writer_flush(w);
    struct profile p = profile_now();
    cr_assert_eq(p.clamped, 0);
    cr_assert_eq(times(&p, 1)->open, 1);
    cr_assert_gt(times(&p, 1)->inclusive, 0);
    cr_assert_eq(times(&p, 1)->off_inclusive, 0);
    profile_free(&p);
}

/* ---- threads ---- */

Test(lanes, rows_tell_whose_they_are)
{
    begin();
    struct writer *a = open_lane(&s, "first"), *b = open_lane(&s, "a name that is too long for its sixty-three bytes and so is cut somewhere");
    writer_enter(a, 1);
    writer_exit(a, 1, 0);
    lanes_close(s.lanes, a);
    struct profile p = profile_now();
    cr_assert_eq(p.threads, 2);
    cr_assert_str_eq(p.thread[0].name, "first");
    cr_assert(p.thread[0].exited && !p.thread[1].exited);
    cr_assert_eq(strlen(p.thread[1].name), 63);
    cr_assert_eq(p.thread[1].tid, (uint32_t)gettid());
    profile_free(&p);
    lanes_close(s.lanes, b);
}

Test(lanes, memory_does_not_grow_with_the_number_of_threads_that_have_been)
{
    enum { LIVES = 3000 };
    begin();
    uint32_t pages = 0;
    for (int i = 0; i < LIVES; i++) {
        struct writer *w = open_lane(&s, "mayfly");
        for (uint32_t site = 1; site <= 4; site++) {
            writer_enter(w, site);
            writer_exit(w, site, 0);
        }
        lanes_close(s.lanes, w);
        if (i == LIVES / 10)
            pages = s.segment.header->pages_used;
    }
    cr_assert_eq(s.segment.header->pages_used, pages);
    struct profile p = profile_now();
    cr_assert_eq(p.calls, 4 * LIVES);
    for (uint32_t site = 1; site <= 4; site++)
        cr_assert_eq(times(&p, site)->calls, LIVES);
    profile_free(&p);
}

Test(lanes, there_may_be_no_room_for_another)
{
    struct lanes_options o = small_lanes();
    begin_with(&o, 1);
    uint32_t opened = 0;
    while (opened < 1000 && open_lane(&s, "one of many"))
        opened++;
    cr_assert(opened > 0 && opened < 1000);
    cr_assert_null(open_lane(&s, "one more"));
    struct profile p = profile_now();
    cr_assert_gt(p.refused_growth, 0);
    cr_assert_eq(p.threads, opened);
    profile_free(&p);
}

/* Space is short, but threads have ended: theirs is used. */
Test(lanes, a_full_segment_gives_lanes_of_ended_threads_to_new_ones)
{
    struct lanes_options o = small_lanes();
    struct writer *open[1000], *w;
    uint32_t opened = 0, lives = 0;
    o.keep_exited = 100000;
    begin_with(&o, 1);
    for (int i = 0; i < 4; i++) /* makes the lane of the merged ones while there is room */
        lanes_close(s.lanes, open_lane(&s, "early"));
    while ((w = open_lane(&s, "one of many")))
        open[opened++] = w;
    for (uint32_t i = 0; i < opened; i++)
        lanes_close(s.lanes, open[i]);
    for (; lives < 3 * opened && (w = open_lane(&s, "later")); lives++) {
        writer_enter(w, 1);
        writer_exit(w, 1, 0);
        lanes_close(s.lanes, w);
    }
    cr_assert_eq(lives, 3 * opened);
    struct profile p = profile_now();
    cr_assert_eq(times(&p, 1)->calls + p.lost, 3 * opened);
    profile_free(&p);
}

Test(lanes, a_forked_child_forgets_them_without_a_trace)
{
    begin();
    struct writer *w = open_lane(&s, "parent");
    writer_enter(w, 1);
    uint64_t bytes = s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE;
    void *before = malloc(bytes);
    memcpy(before, s.segment.base, bytes);
    pid_t child = fork();
    if (child == 0) {
        lanes_abandon(s.lanes);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
    cr_assert_eq(memcmp(before, s.segment.base, bytes), 0);
    free(before);
}

/* ---- CPU time, as it comes out at the other end ---- */

/* Few calls for the time they take, so that recording itself takes next to none of it. */
static void spin(struct writer *w, uint64_t ns)
{
    uint64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until) {
        writer_enter(w, 2);
        for (volatile int i = 0; i < 5000; i++)
            ;
        writer_exit(w, 2, 0);
    }
}

static void spin_and_sleep(struct writer *w)
{
    for (int i = 0; i < 10; i++) {
        spin(w, 20000000);
        writer_enter(w, 3);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        writer_exit(w, 3, 0);
    }
}

static atomic_bool competing;
static void *compete(void *unused)
{
    while (competing)
        ;
    return unused;
}

struct cpu_times {
    uint64_t cpu, real, own, slept; /* ns */
};

static struct cpu_times measure_cpu_time(enum cputime_mode *mode)
{
    struct lanes_options o = small_lanes();
    o.cpu_mode = *mode;
    begin_with(&o, CAPACITY);
    struct writer *w = open_lane(&s, "worker");
    *mode = w->cpu.mode;
    struct clock_anchor first = clock_anchor_take(clock_source_now);
    writer_enter(w, 1);
    uint64_t real = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    spin_and_sleep(w);
    real = clock_ns(CLOCK_THREAD_CPUTIME_ID) - real;
    writer_exit(w, 1, 0);
    struct clock_scale scale = clock_scale_now(clock_source_now, &first);
    struct profile p = profile_now();
    const struct profile_times *t = times(&p, 1);
    struct cpu_times found = {.cpu = clock_scale_duration(&scale, t->inclusive - t->off_inclusive),
                              .real = real,
                              .own = clock_scale_duration(&scale, p.own),
                              .slept = clock_scale_duration(&scale, times(&p, 3)->off_inclusive)};
    profile_free(&p);
    end();
    return found;
}

/* All CPU time there is is the open call's, but for what the recorder took out: a sanitizer makes that a percent. It may have
 * been off the CPU there. */
static bool is_cpu_time(const struct cpu_times *t) { return t->cpu * 100 <= t->real * 101 && (t->cpu + t->own) * 100 >= t->real * 99; }

/* A machine that is itself a guest loses its processor now and then without a switch, milliseconds at a time (cputime.h): such a
 * measurement is made again. A switch that got lost would be lost each time. */
static void expect_cpu_time(enum cputime_mode mode)
{
    struct cpu_times t;
    int tries = 6;
    do
        t = measure_cpu_time(&mode);
    while (!is_cpu_time(&t) && --tries);
    cr_assert(tries, "%s: %lu ns of CPU, the CPU clock says %lu, recording took %lu", cputime_mode_name(mode), t.cpu, t.real, t.own);
    cr_assert_geq(t.slept, 19 * 1000000);
}

static const enum cputime_mode modes[] = {CPUTIME_RSEQ, CPUTIME_RSEQ_GAP, CPUTIME_PERF, CPUTIME_SYSCALL};

Test(lanes, cpu_time_agrees_with_the_cpu_clock_in_each_mode)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        expect_cpu_time(modes[i]);
}

/* Being switched out between two looks at the clock must not get lost. */
Test(lanes, cpu_time_agrees_with_the_cpu_clock_while_others_want_the_cpu)
{
    enum { OTHERS = 4 };
    pthread_t other[OTHERS];
    competing = true;
    for (int i = 0; i < OTHERS; i++)
        pthread_create(&other[i], NULL, compete, NULL);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        expect_cpu_time(modes[i]);
    competing = false;
    for (int i = 0; i < OTHERS; i++)
        pthread_join(other[i], NULL);
}

/* ---- what was open when recording stopped ---- */

/* A sleep until then, at least `least` % of which is off the CPU. */
static void expect_cut(bool noted, uint64_t least)
{
    struct lanes_options o = small_lanes();
    o.cpu_mode = CPUTIME_SYSCALL;
    begin_with(&o, CAPACITY);
    struct writer *w = open_lane(&s, "worker");
    writer_enter(w, 1);
    writer_enter(w, 2);
    uint64_t last = w->last;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    uint64_t when = clock_ticks();
    if (noted)
        lanes_note_stop(s.lanes, when);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    lanes_note_stop(s.lanes, clock_ticks()); /* it was stopped before: that holds */
    if (!noted)
        w->lane->stopped = 0;
    writer_cut_at_stop(w, when);
    struct profile p = profile_now();
    const struct profile_times *t = times(&p, 2);
    cr_expect_eq(t->inclusive, when - last);
    cr_expect_eq(t->open, 1);
    cr_expect(t->off_inclusive >= (when - last) / 100 * least && t->off_inclusive <= t->inclusive, "%lu of %lu", t->off_inclusive, t->inclusive);
    cr_expect_eq(w->lane->cpu_off, w->cpu.reported);
    profile_free(&p);
    end();
}

Test(lanes, a_call_that_was_open_at_a_stop_keeps_the_cpu_time_until_then)
{
    expect_cut(true, 80);
    expect_cut(false, 100); /* nobody looked: it does not count as CPU time */
}

/* ---- many threads ---- */

/* Of the sizes that a program has which sets none: rings get smaller, and all lanes can be read. */
Test(lanes, thousands_of_threads_have_room_in_the_default_segment)
{
    enum { MANY = 3000 };
    struct lanes_options o = small_lanes();
    o.ring_slots = SEGMENT_DEFAULT_RING_SLOTS;
    begin_with(&o, SEGMENT_DEFAULT_CAPACITY);
    for (int i = 0; i < MANY; i++) {
        struct writer *w = open_lane(&s, "one of many");
        cr_assert(w, "no lane for thread %d", i);
        writer_enter(w, 1);
        writer_exit(w, 1, 0);
        writer_enter(w, 2);
    }
    struct profile p = profile_now();
    cr_assert_eq(p.threads, MANY);
    cr_assert_eq(times(&p, 1)->calls, MANY);
    cr_assert_eq(times(&p, 2)->open, MANY);
    cr_assert_eq(p.lost + p.lost_lanes + p.unpathed + p.refused_growth, 0);
    profile_free(&p);
}
