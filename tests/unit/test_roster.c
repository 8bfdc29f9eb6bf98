/* Consumers that begin, end, are cleared, select, come and go while random forests grow on several threads: what each sees,
 * exclusive times, extremes and recursion included, agrees with an oracle of its own that knows of no other. Then the numbers of
 * audiences: equal sets, none left, and what is had back. */
#include <criterion/criterion.h>

#include "roster.h"

#include "../support/forest.h"

enum { CAPACITY = 64 << 20, SEATS = 5, THREADS = 8, LIVES = 40, PATHS = 1 << 20 };

struct seat {
    uint32_t number;
    bool running;
    bool selected[FOREST_SITES + 1];
    struct oracle o;
    struct oracle_thread t[LIVES];
};

struct hall {
    struct test_segment s;
    struct roster *c;
    struct random random;
    struct oracle whole;
    struct forest life[LIVES];
    bool gone[LIVES];
    uint32_t begun, ended;
    bool pathless; /* there is little room for paths */
    uint32_t watcher; /* a consumer that sees everything, always; 0: none, so that there is something to forget */
    struct seat seat[SEATS];
};

static void compact(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    struct hall *h = context;
    for (uint32_t i = h->ended; i < h->begun; i++) /* what forests write, they write behind the writer's back */
        if (h->life[i].t.last > h->life[i].w->last)
            h->life[i].w->last = h->life[i].t.last;
    lanes_compact(h->s.lanes, audience, all, used);
}

/* ---- seats ---- */

static void everybody_hears(struct forest *f, uint64_t when, uint64_t what)
{
    struct hall *h = f->listener;
    for (unsigned i = 0; i < SEATS; i++)
        oracle_record(&h->seat[i].o, &h->seat[i].t[f - h->life], when, what);
}

/* Selects anything, or everything. */
static struct roster_selection any_selection(struct hall *h, struct seat *s, uint32_t site[FOREST_SITES])
{
    struct roster_selection wanted = {.all = random_chance(&h->random, 40), .site = site, .text = "some"};
    for (uint32_t i = 1; i <= FOREST_SITES; i++) {
        s->selected[i] = wanted.all || random_chance(&h->random, 60);
        if (s->selected[i])
            site[wanted.sites++] = i;
    }
    return wanted;
}

static void take_seat(struct hall *h, struct seat *s)
{
    uint32_t site[FOREST_SITES];
    struct roster_selection wanted = any_selection(h, s, site);
    s->number = roster_add(h->c, CONSUMER_PROFILER, "seat", &wanted);
    cr_assert(s->number);
    s->running = false;
    s->o.away = true;
    s->o.selected = s->selected;
}

static void forget(struct seat *s)
{
    oracle_clear(&s->o);
    for (unsigned i = 0; i < LIVES; i++)
        oracle_unsee(&s->t[i]);
}

static struct seat *any_seat(struct hall *h) { return &h->seat[random_below(&h->random, SEATS)]; }

static void begin_or_end(struct hall *h)
{
    struct seat *s = any_seat(h);
    if (s->running)
        roster_end(h->c, s->number, 1);
    else if (roster_begin(h->c, s->number, 0, 1) < 0)
        return;
    s->running = !s->running;
    s->o.away = !s->running;
}

static void clear(struct hall *h)
{
    struct seat *s = any_seat(h);
    if (roster_clear(h->c, s->number, 1) == 0)
        forget(s);
}

static void change_selection(struct hall *h)
{
    struct seat *s = any_seat(h), before = *s;
    uint32_t site[FOREST_SITES];
    struct roster_selection wanted = any_selection(h, s, site);
    if (roster_select(h->c, s->number, &wanted) < 0)
        memcpy(s->selected, before.selected, sizeof s->selected);
}

static void change_seats(struct hall *h)
{
    struct seat *s = any_seat(h);
    roster_remove(h->c, s->number, 1);
    forget(s);
    take_seat(h, s);
}

/* ---- threads ---- */

static void begin_life(struct hall *h)
{
    struct writer *w = open_lane(&h->s, "mortal");
    struct forest *f = &h->life[h->begun];
    cr_assert(w);
    forest_plant(f, w, &h->whole, random_next(&h->random));
    for (uint32_t i = 0; i < h->begun; i++) /* its ring may have been another's, whose instants must lie before */
        f->now = h->life[i].now > f->now ? h->life[i].now : f->now;
    f->heard = everybody_hears;
    f->listener = h;
    h->begun++;
}

/* Recording stops before the thread ends, so that its last calls end at a synthetic instant, too. */
static void end_life(struct hall *h)
{
    struct forest *f = &h->life[h->ended++];
    forest_cut(f);
    lanes_close(h->s.lanes, f->w);
}

static void begin_or_end_life(struct hall *h)
{
    uint32_t alive = h->begun - h->ended;
    if (alive < THREADS && h->begun < LIVES)
        begin_life(h);
    else if (h->begun < LIVES || alive > 1)
        end_life(h);
}

/* As a thread does at its next event. */
static void in_step(struct hall *h, struct forest *f)
{
    uint32_t now = h->s.segment.header->audience;
    if (f->w->audience == now)
        return;
    f->w->audience = now;
    f->w->mixed = true;
    forest_record(f, f->now, record_pack(now, 0, RECORD_AUDIENCE, 0));
}

static void grow(struct hall *h)
{
    struct forest *f = &h->life[h->ended + random_below(&h->random, h->begun - h->ended)];
    in_step(h, f);
    forest_grow(f, 1 + random_below(&h->random, 60));
    if (random_chance(&h->random, 30))
        forest_fold(f, random_below(&h->random, (uint32_t)forest_unfolded(f) + 1));
}

/* ---- looking ---- */

static uint64_t heard_of(const struct hall *h, uint32_t i)
{
    const struct lane *lane = h->life[i].w->lane;
    uint64_t last = h->life[i].t.last;
    return i < h->ended ? lane->ended : last > lane->began ? last : lane->began;
}

static uint64_t asof(const struct hall *h)
{
    uint64_t latest = 0;
    for (uint32_t i = h->s.segment.header->merges; i < h->begun; i++)
        latest = heard_of(h, i) > latest ? heard_of(h, i) : latest;
    return latest;
}

static struct oracle closed(const struct hall *h, const struct oracle *of, const struct oracle_thread *t, size_t stride)
{
    struct oracle o = oracle_copy(of);
    for (uint32_t i = 0; i < h->begun; i++) {
        struct oracle_thread copy = oracle_thread_copy((const struct oracle_thread *)((const char *)t + i * stride));
        oracle_close(&o, &copy, asof(h));
        oracle_thread_free(&copy);
    }
    return o;
}

static struct snapshot look_here(const struct hall *h)
{
    struct view v;
    struct snapshot shot;
    cr_assert_eq(view_of_memory(&v, h->s.segment.base, h->s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_assert(shot.complete);
    return shot;
}

static void check_seat(const struct hall *h, const struct snapshot *shot, const struct seat *s, unsigned operation)
{
    struct profile p;
    struct oracle_why why;
    struct oracle o = closed(h, &s->o, s->t, sizeof *s->t);
    cr_assert_eq(profile_make_view(&p, shot, s->number), 0);
    cr_assert(h->pathless || p.unpathed == 0);
    bool same = h->pathless ? oracle_check_calls(&why, &o, &p) : oracle_check_view(&why, &o, &p);
    cr_assert(same, "operation %u, consumer %u: %s", operation, s->number, why.text);
    profile_free(&p);
    oracle_copy_free(&o);
}

/* Somebody sees everything: so nothing of it goes. */
static void check_whole(const struct hall *h, const struct snapshot *shot, unsigned operation)
{
    struct profile p;
    struct oracle_why why;
    struct oracle o = closed(h, &h->whole, &h->life[0].t, sizeof h->life[0]);
    cr_assert_eq(profile_make(&p, shot), 0);
    cr_assert(oracle_check(&why, &o, &p), "operation %u: %s", operation, why.text);
    profile_free(&p);
    cr_assert_eq(profile_make_view(&p, shot, h->watcher), 0);
    cr_assert(oracle_check(&why, &o, &p), "operation %u, who sees everything: %s", operation, why.text);
    cr_assert_eq(p.unplaced, 0);
    profile_free(&p);
    oracle_copy_free(&o);
}

/* ---- rounds ---- */

static void hall_open(struct hall *h, uint64_t seed, bool watched, uint32_t nodes)
{
    struct lanes_options o = small_lanes();
    o.limits.nodes = nodes;
    memset(h, 0, sizeof *h);
    cr_assert_eq(segment_begin(&h->s, CAPACITY, &o), 0);
    intern_numbered(&h->s, FOREST_SITES);
    h->random = random_seeded(seed);
    h->c = roster_new(&h->s.segment, compact, h);
    cr_assert(h->c);
    oracle_init(&h->whole, FOREST_SITES);
    for (unsigned i = 0; i < SEATS; i++) {
        oracle_init(&h->seat[i].o, FOREST_SITES);
        take_seat(h, &h->seat[i]);
    }
    if (watched) {
        h->watcher = roster_add(h->c, CONSUMER_SESSION, "watcher", &(struct roster_selection){.all = true});
        cr_assert_eq(roster_begin(h->c, h->watcher, 0, 1), 0);
    }
    begin_life(h);
}

static void hall_close(struct hall *h)
{
    for (unsigned i = 0; i < SEATS; i++) {
        for (unsigned k = 0; k < LIVES; k++)
            oracle_thread_free(&h->seat[i].t[k]);
        oracle_free(&h->seat[i].o);
    }
    for (uint32_t i = 0; i < h->begun; i++)
        forest_free(&h->life[i]);
    oracle_free(&h->whole);
    roster_delete(h->c);
    segment_end(&h->s);
}

static void operate(struct hall *h, unsigned operation)
{
    uint32_t chance = random_below(&h->random, 100);
    if (chance < 55)
        grow(h);
    else if (chance < 75)
        begin_or_end(h);
    else if (chance < 80)
        clear(h);
    else if (chance < 84)
        change_selection(h);
    else if (chance < 86)
        change_seats(h);
    else if (chance < 88)
        begin_or_end_life(h);
    else {
        struct snapshot shot = look_here(h);
        check_seat(h, &shot, any_seat(h), operation);
        if (chance == 99 && h->watcher)
            check_whole(h, &shot, operation);
        snapshot_free(&shot);
    }
}

static void operations(uint64_t seed, unsigned count, bool watched, uint32_t nodes)
{
    static struct hall h;
    hall_open(&h, seed, watched, nodes);
    h.pathless = nodes < PATHS;
    for (unsigned i = 0; i < count; i++)
        operate(&h, i);
    hall_close(&h);
}

Test(roster, each_sees_what_it_would_see_alone)
{
    operations(1, 10000, false, PATHS);
}

Test(roster, who_sees_everything_does_so_whatever_others_do)
{
    operations(2, 5000, true, PATHS);
}

Test(roster, short_lives_of_many_seeds)
{
    for (uint64_t seed = 100; seed < 150; seed++)
        operations(seed, 600, seed % 2, PATHS);
}

Test(roster, where_paths_are_given_up_calls_are_exact_and_everything_is)
{
    for (uint64_t seed = 200; seed < 230; seed++)
        operations(seed, 1000, seed % 2, seed % 3 ? 40 : 1);
}

/* ---- single rules ---- */

struct stand {
    struct test_segment s;
    struct roster *c;
    struct writer *w[8];
};

static void compact_stand(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    const struct stand *d = context;
    lanes_compact(d->s.lanes, audience, all, used);
}

static void stand_open(struct stand *d, unsigned writers)
{
    struct lanes_options o = small_lanes();
    *d = (struct stand){.c = NULL};
    cr_assert_eq(segment_begin(&d->s, CAPACITY, &o), 0);
    intern_numbered(&d->s, FOREST_SITES);
    d->c = roster_new(&d->s.segment, compact_stand, d);
    cr_assert(d->c);
    for (unsigned i = 0; i < writers; i++) {
        d->w[i] = open_lane(&d->s, "stand");
        cr_assert(d->w[i]);
    }
}

static void stand_close(struct stand *d)
{
    roster_delete(d->c);
    segment_end(&d->s);
}

static uint32_t seat_at(struct stand *d)
{
    uint32_t number = roster_add(d->c, CONSUMER_PROFILER, "seat", &(struct roster_selection){.all = true});
    cr_assert(number);
    return number;
}

static void call_once(struct stand *d, struct writer *w, uint32_t site)
{
    writer_listen(w, roster_audience(d->c));
    writer_enter(w, site);
    writer_enter(w, 1);
    writer_exit(w, 1, 0);
    writer_exit(w, site, 0);
}

static struct profile view_of(const struct stand *d, uint32_t consumer)
{
    struct view v;
    struct snapshot shot;
    struct profile p;
    cr_assert_eq(view_of_memory(&v, d->s.segment.base, d->s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_assert_eq(profile_make_view(&p, &shot, consumer), 0);
    snapshot_free(&shot);
    return p;
}

static uint64_t calls_of(const struct stand *d, uint32_t consumer, uint32_t site)
{
    struct profile p = view_of(d, consumer);
    uint64_t calls = profile_site(&p, site)->t.calls;
    profile_free(&p);
    return calls;
}

Test(roster, ten_thousand_starts_and_stops_add_no_nodes)
{
    struct stand d;
    stand_open(&d, 1);
    uint32_t a = seat_at(&d), b = seat_at(&d), pages = 0, nodes = 0;
    roster_begin(d.c, a, 0, 1);
    for (unsigned i = 0; i < 10000; i++) {
        cr_assert_eq(roster_begin(d.c, b, 0, 1), 0);
        call_once(&d, d.w[0], 2);
        roster_end(d.c, b, 1);
        call_once(&d, d.w[0], 2);
        writer_flush(d.w[0]);
        if (i == 0) {
            pages = d.s.segment.header->pages_used;
            nodes = d.w[0]->folder.nodes;
        }
    }
    cr_expect_eq(d.w[0]->folder.nodes, nodes);
    cr_expect_leq(d.s.segment.header->pages_used, pages + 8, "histograms of other durations");
    cr_expect_eq(calls_of(&d, a, 2), 20000);
    cr_expect_eq(calls_of(&d, b, 2), 10000);
    stand_close(&d);
}

/* As folder_compact() says: no tree has more nodes than twice what was needed, and some. */
Test(roster, a_clear_a_second_for_an_hour_takes_no_more_memory_than_a_minute_of_them)
{
    enum { WRITERS = 8, NEEDED = 1 + 2 * FOREST_SITES, HOUR = 3600 };
    struct stand d;
    stand_open(&d, WRITERS);
    uint32_t keeper = seat_at(&d), clearer = seat_at(&d), after_a_minute = 0;
    roster_begin(d.c, keeper, 0, 1);
    roster_begin(d.c, clearer, 0, 1);
    for (unsigned second = 0; second < HOUR; second++) {
        for (unsigned i = 0; i < WRITERS; i++)
            for (uint32_t site = 1; site <= FOREST_SITES; site++)
                call_once(&d, d.w[i], site);
        cr_assert_eq(roster_clear(d.c, clearer, second), 0);
        for (unsigned i = 0; i < WRITERS; i++)
            cr_assert_leq(d.w[i]->folder.nodes, 2 * (2 * NEEDED) + FOLDER_SPARE);
        if (second == 60)
            after_a_minute = d.s.segment.header->pages_used;
    }
    cr_expect_leq(d.s.segment.header->pages_used, after_a_minute + 8 * WRITERS, "%u and %u pages", after_a_minute, d.s.segment.header->pages_used);
    cr_expect_eq(calls_of(&d, keeper, 2), (uint64_t)HOUR * WRITERS);
    cr_expect_eq(calls_of(&d, clearer, 2), 0);
    cr_expect_gt(d.s.segment.header->renumberings, 0);
    stand_close(&d);
}

/* Subsets in an order in which each differs from the one before by one consumer. */
static uint32_t flip_of(uint32_t i) { return (uint32_t)__builtin_ctz(i); }

Test(roster, eight_have_numbers_for_every_set)
{
    struct stand d;
    uint32_t number[8], running = 0;
    stand_open(&d, 1);
    for (unsigned i = 0; i < 8; i++)
        number[i] = seat_at(&d);
    for (uint32_t i = 1; i < 600; i++) {
        uint32_t k = flip_of(i % 256 ? i % 256 : 128);
        if (running >> k & 1)
            roster_end(d.c, number[k], 1);
        else
            cr_assert_eq(roster_begin(d.c, number[k], 0, 1), 0, "%u", i);
        running ^= 1u << k;
        call_once(&d, d.w[0], 2);
    }
    for (unsigned i = 0; i < 8; i++) {
        struct profile p = view_of(&d, number[i]);
        cr_expect(p.complete);
        profile_free(&p);
    }
    stand_close(&d);
}

/* Nine have more sets than there are numbers: nobody gets what is not his, and who misses something says so. */
Test(roster, where_numbers_run_out_who_misses_calls_says_so)
{
    struct stand d;
    uint32_t number[9], running = 0, refused = 0, incomplete = 0;
    uint64_t calls[9] = {0};
    stand_open(&d, 1);
    for (unsigned i = 0; i < 9; i++)
        number[i] = seat_at(&d);
    for (uint32_t i = 1; i < 512; i++) {
        uint32_t k = flip_of(i);
        if (running >> k & 1)
            roster_end(d.c, number[k], 1);
        else if (roster_begin(d.c, number[k], 0, 1) < 0) {
            refused++;
            continue;
        }
        running ^= 1u << k;
        call_once(&d, d.w[0], 2);
        for (unsigned j = 0; j < 9; j++)
            calls[j] += running >> j & 1;
    }
    for (unsigned i = 0; i < 9; i++) {
        struct profile p = view_of(&d, number[i]);
        cr_expect(profile_site(&p, 2)->t.calls <= calls[i]);
        cr_expect_eq(p.complete, profile_site(&p, 2)->t.calls == calls[i], "consumer %u", i);
        incomplete += !p.complete;
        profile_free(&p);
    }
    cr_expect(refused + incomplete > 0);
    cr_expect_eq(roster_clear(d.c, number[0], 1), 0, "where one leaves, others say the same: numbers come back");
    stand_close(&d);
}

Test(roster, a_call_that_goes_to_another_thread_keeps_its_audience)
{
    struct stand d;
    stand_open(&d, 2);
    uint32_t a = seat_at(&d), b = seat_at(&d);
    roster_begin(d.c, a, 0, 1);
    call_once(&d, d.w[0], 2);
    writer_enter_keyed(d.w[0], 3, 64);
    writer_suspend(d.w[0], 3);
    struct waiting at = {d.w[0], d.w[0]->lane->generation, d.w[0]->last, 100, 0};
    roster_begin(d.c, b, 0, 1);
    call_once(&d, d.w[0], 2);
    call_once(&d, d.w[1], 2);
    writer_resume_moved(d.w[1], 3, 64, &at);
    writer_enter(d.w[1], 4);
    writer_exit(d.w[1], 4, 0);
    writer_exit(d.w[1], 3, 0);
    struct profile p = view_of(&d, a), q = view_of(&d, b);
    cr_expect_eq(profile_site(&p, 3)->spread.ended, 1);
    cr_expect_eq(profile_site(&q, 3)->spread.ended, 0);
    cr_expect_eq(profile_site(&q, 3)->t.inclusive, 0);
    cr_expect_eq(profile_site(&p, 4)->t.calls, 1);
    cr_expect_eq(profile_site(&q, 4)->t.calls, 1);
    profile_free(&p);
    profile_free(&q);
    stand_close(&d);
}

Test(roster, what_stands_in_the_segment_says_who_they_are)
{
    struct stand d;
    struct view v;
    struct snapshot shot;
    static const uint32_t site[] = {2};
    stand_open(&d, 1);
    uint32_t a = roster_add(d.c, CONSUMER_SESSION, "tscap start", &(struct roster_selection){.all = true});
    uint32_t b = roster_add(d.c, CONSUMER_ATTACHED, "attach", &(struct roster_selection){.site = site, .sites = 1, .text = "m:f2"});
    roster_begin(d.c, a, CONSUMER_SUBPROCESSES, 100);
    roster_begin(d.c, b, 0, 200);
    roster_end(d.c, b, 300);
    roster_clear(d.c, b, 400);
    cr_assert_eq(view_of_memory(&v, d.s.segment.base, d.s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(look(&shot, &v, 0), 0);
    const struct consumer *x = audiences_consumer(&shot.audiences, a), *y = audiences_consumer(&shot.audiences, b);
    cr_assert(x && y);
    cr_expect_null(audiences_consumer(&shot.audiences, b + 1));
    cr_expect_str_eq(x->name, "tscap start");
    cr_expect_eq(x->flags, CONSUMER_RUNNING | CONSUMER_SUBPROCESSES);
    cr_expect_eq(x->began, 100);
    cr_expect_str_eq(y->selected, "m:f2");
    cr_expect_eq(y->kind, CONSUMER_ATTACHED);
    cr_expect_eq(y->flags, CONSUMER_SELECTS);
    cr_expect(y->began == 200 && y->ended == 300 && y->zero == 400);
    struct profile p;
    cr_expect_eq(profile_make_view(&p, &shot, b + 1), -ENOENT);
    snapshot_free(&shot);
    stand_close(&d);
}

/* ---- times of what is open, after others were cleared ---- */

static uint64_t at(const struct stand *d, uint64_t when) { return d->w[0]->lane->began + when; }

static void record(struct stand *d, uint64_t when, uint64_t what)
{
    struct writer *w = d->w[0];
    uint32_t audience = roster_audience(d->c);
    if (w->audience != audience) {
        w->audience = audience;
        w->mixed = true;
        writer_store(w, at(d, when), record_pack(audience, 0, RECORD_AUDIENCE, 0));
    }
    w->last = at(d, when);
    writer_store(w, w->last, what);
}
static void enter_at(struct stand *d, uint64_t when, uint32_t site) { record(d, when, record_pack(site, ++d->w[0]->depth, RECORD_ENTER, 0)); }
static void exit_at(struct stand *d, uint64_t when, uint32_t site) { record(d, when, record_pack(site, d->w[0]->depth--, RECORD_EXIT, 0)); }

static void keyed_at(struct stand *d, uint64_t when, uint32_t site, unsigned kind)
{
    if (kind != RECORD_SUSPEND) {
        writer_store(d->w[0], 64, record_pack(0, 0, RECORD_KEY, 0));
        record(d, when, record_pack(site, ++d->w[0]->depth, kind, RECORD_KEYED));
    } else
        record(d, when, record_pack(site, d->w[0]->depth--, kind, 0));
}

/* Whatever memory is to be won: as the roster would where much is. */
static void compact_all(const struct stand *d)
{
    const struct consumer_table *t = segment_page_at(d->s.segment.base, d->s.segment.header->consumer_pages);
    uint8_t audience[SEGMENT_AUDIENCES];
    bool used[SEGMENT_AUDIENCES] = {false};
    if (d->s.segment.header->consumer_turn & 1)
        t = segment_page_at(d->s.segment.base, d->s.segment.header->consumer_pages + CONSUMER_PAGES);
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        audience[n] = t->member[n] ? (uint8_t)n : 0;
    lanes_compact(d->s.lanes, audience, true, used);
}

/* Calls of a callee that only the other saw have ended under it, and are forgotten: their time is the caller's own. */
Test(roster, an_open_caller_has_its_own_time_after_anothers_clear)
{
    struct stand d;
    stand_open(&d, 1);
    uint32_t a = seat_at(&d), b = seat_at(&d);
    roster_begin(d.c, a, 0, 1); /* audience 1: a */
    enter_at(&d, 1000, 2);
    roster_begin(d.c, b, 0, 1);
    roster_end(d.c, a, 1);
    enter_at(&d, 1100, 3);
    enter_at(&d, 1120, 4);
    exit_at(&d, 1150, 4);
    exit_at(&d, 1200, 3);
    cr_assert_eq(roster_clear(d.c, b, 1), 0);
    compact_all(&d);
    for (unsigned look = 0; look < 2; look++) {
        struct profile p = view_of(&d, a);
        uint64_t lasted = look ? 900 : 200;
        cr_expect_eq(profile_site(&p, 2)->t.inclusive, lasted);
        cr_expect_eq(profile_site(&p, 2)->t.exclusive, lasted);
        cr_expect_eq(p.clamped, 0);
        profile_free(&p);
        p = view_of(&d, b);
        cr_expect_eq(profile_site(&p, 3)->t.calls, 0);
        profile_free(&p);
        if (look == 0)
            exit_at(&d, 1900, 2);
    }
    stand_close(&d);
}

/* What it ran before it waited counts while it runs again, and is not lost when the other is cleared. */
Test(roster, earlier_stretches_of_a_generator_that_runs_now_count)
{
    struct stand d;
    stand_open(&d, 1);
    uint32_t a = seat_at(&d), b = seat_at(&d);
    roster_begin(d.c, a, 0, 1);
    keyed_at(&d, 1000, 2, RECORD_ENTER);
    keyed_at(&d, 1100, 2, RECORD_SUSPEND);
    roster_begin(d.c, b, 0, 1);
    keyed_at(&d, 1500, 2, RECORD_RESUME);
    enter_at(&d, 1530, 3);
    exit_at(&d, 1550, 3);
    cr_assert_eq(roster_clear(d.c, b, 1), 0);
    compact_all(&d);
    enter_at(&d, 1600, 3);
    exit_at(&d, 1610, 3);
    struct profile p = view_of(&d, a);
    const struct profile_site *s = profile_site(&p, 2);
    cr_expect_eq(s->t.calls, 1);
    cr_expect_eq(s->t.open, 1);
    cr_expect_eq(s->t.inclusive, 100 + 110);
    cr_expect_eq(s->t.exclusive, 100 + 110 - 10 - 20);
    cr_expect_eq(s->t.waited, 400);
    cr_expect_eq(s->t.elapsed, 610);
    cr_expect_eq(s->spread.ended, 0);
    profile_free(&p);
    stand_close(&d);
}

/* Which of the lowest sites number `i` selects. */
static struct roster_selection subset(uint32_t i, uint32_t site[FOREST_SITES])
{
    struct roster_selection s = {.site = site, .text = "a subset"};
    for (uint32_t k = 0; k < FOREST_SITES; k++)
        if (i >> k & 1)
            site[s.sites++] = k + 1;
    return s;
}

Test(roster, selections_that_nothing_is_counted_by_any_more_give_their_room_back)
{
    enum { SELECTIONS = (1 << FOREST_SITES) - 1 < 1000 ? (1 << FOREST_SITES) - 1 : 1000, COUNTED = 20 };
    struct stand d;
    uint32_t site[FOREST_SITES], pages = 0, expected = 0;
    stand_open(&d, 1);
    uint32_t a = seat_at(&d), b = seat_at(&d);
    roster_begin(d.c, a, 0, 1);
    roster_begin(d.c, b, 0, 1);
    for (uint32_t i = 1; i <= SELECTIONS; i++) {
        struct roster_selection s = subset(i, site);
        cr_assert_eq(roster_select(d.c, a, &s), 0, "selection %u", i);
        if (i % (SELECTIONS / COUNTED) == 0) {
            call_once(&d, d.w[0], 2);
            expected += i >> 1 & 1;
        }
        if (i == SELECTIONS / 2)
            pages = d.s.segment.header->pages_used;
    }
    cr_expect_eq(calls_of(&d, a, 2), expected, "those that were counted are");
    cr_expect_eq(calls_of(&d, b, 2), SELECTIONS / (SELECTIONS / COUNTED));
    cr_expect_leq(d.s.segment.header->pages_used, pages + 20, "from %u pages to %u", pages, d.s.segment.header->pages_used);
    stand_close(&d);
}

/* 20,000 sites in an instant, not in their square. */
Test(roster, selecting_takes_time_by_the_number_of_sites)
{
    enum { SITES = 20000, TIMES = 200 };
    struct stand d;
    static uint32_t site[SITES];
    stand_open(&d, 1);
    uint32_t a = seat_at(&d);
    for (uint32_t i = 0; i < SITES; i++)
        site[i] = i + 1;
    uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < TIMES; i++)
        cr_assert_eq(roster_select(d.c, a, &(struct roster_selection){.site = site, .sites = SITES - i % 2, .text = "many"}), 0);
    cr_expect_lt(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin, 5000000000ull, "a pair of 20,000 has 200 million comparisons each time");
    stand_close(&d);
}

Test(roster, there_is_an_end_to_seats)
{
    struct stand d;
    stand_open(&d, 1);
    uint32_t first = seat_at(&d);
    for (unsigned i = 1; i < SEGMENT_CONSUMERS; i++)
        seat_at(&d);
    cr_expect_eq(roster_add(d.c, CONSUMER_PROFILER, "one more", &(struct roster_selection){.all = true}), 0);
    cr_expect_eq(roster_select(d.c, first, &(struct roster_selection){.all = false}), -ENOSPC);
    roster_remove(d.c, first, 1);
    cr_expect_neq(seat_at(&d), first);
    cr_expect_eq(roster_begin(d.c, first, 0, 1), -ENOENT);
    stand_close(&d);
}
