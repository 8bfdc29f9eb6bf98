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
static struct selection any_selection(struct hall *h, struct seat *s, uint32_t site[FOREST_SITES])
{
    struct selection wanted = {.all = random_chance(&h->random, 40), .site = site, .text = "some"};
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
    struct selection wanted = any_selection(h, s, site);
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
    struct selection wanted = any_selection(h, s, site);
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

/* Where paths have been given up, what is known of a call by itself is exact still. */
static bool check_calls(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    for (uint32_t id = 1; id <= o->sites; id++) {
        const struct profile_site *s = profile_site(p, id);
        const struct oracle_sums *e = &o->site[id];
        if (!oracle_same(why, "site", id, 0, "calls", s->t.calls, e->calls) || !oracle_same(why, "site", id, 0, "open", s->t.open, e->open) ||
            !oracle_same(why, "site", id, 0, "raised", s->t.raised, e->raised) ||
            !oracle_same(why, "site", id, 0, "waited", s->t.waited, e->waited) || !oracle_same_durations(why, s, &o->ended[id]))
            return false;
    }
    return true;
}

static void check_seat(const struct hall *h, const struct snapshot *shot, const struct seat *s, unsigned operation)
{
    struct profile p;
    struct oracle_why why;
    struct oracle o = closed(h, &s->o, s->t, sizeof *s->t);
    cr_assert_eq(profile_make_view(&p, shot, s->number), 0);
    cr_assert(h->pathless || p.unpathed == 0);
    bool same = h->pathless ? check_calls(&why, &o, &p) : oracle_check_view(&why, &o, &p);
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
        h->watcher = roster_add(h->c, CONSUMER_SESSION, "watcher", &(struct selection){.all = true});
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
