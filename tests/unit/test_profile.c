/* What a profile makes of a snapshot: each case is a few records with synthetic ticks, and the numbers that must come of
 * them, worked out by hand. */
#include <criterion/criterion.h>

#include "../support/segments.h"
#include "chain.h"
#include "histogram.h"
#include "item_key.h"
#include "support.h"

enum { CAPACITY = 8 << 20, SITES = 6 };
enum { A = 1, B, C, D, E };

static struct test_segment s;
static struct writer *w;
static uint64_t zero; /* of the synthetic ticks: the latest beginning of a lane, so that instants fit all of them */

static void lane_begins(const char *name)
{
    w = open_lane(&s, name);
    cr_assert(w);
    zero = w->lane->began;
}

static void begin(void)
{
    struct lanes_options o = small_lanes();
    own_directory_make();
    o.keep_exited = 2;
    cr_assert_eq(segment_begin(&s, CAPACITY, &o), 0);
    intern_numbered(&s, SITES);
    lane_begins("main");
}
static void end(void)
{
    segment_end(&s);
    own_directory_remove();
}
TestSuite(profile, .init = begin, .fini = end);

/* ---- records ---- */

static void record(uint64_t when, uint64_t what)
{
    if (w->head - w->folder.tail == w->mask + 1)
        writer_flush(w);
    w->last = zero + when;
    writer_store(w, zero + when, what);
}
static void enter(uint64_t when, uint32_t site) { record(when, record_pack(site, ++w->depth, RECORD_ENTER, 0)); }
static void leave_by(uint64_t when, uint32_t site, unsigned flags) { record(when, record_pack(site, w->depth--, RECORD_EXIT, flags)); }
static void leave(uint64_t when, uint32_t site) { leave_by(when, site, 0); }

static void call(uint64_t from, uint64_t to, uint32_t site)
{
    enter(from, site);
    leave(to, site);
}

static void off_cpu(uint64_t when, uint64_t ticks) { record(when, record_pack_duration(ticks, RECORD_OFF_CPU)); }

static void keyed(uint64_t when, uint64_t key, uint32_t site, unsigned kind)
{
    if (kind == RECORD_SUSPEND) {
        record(when, record_pack(site, w->depth--, kind, 0));
        return;
    }
    writer_store(w, key, record_pack(0, 0, RECORD_KEY, 0));
    record(when, record_pack(site, ++w->depth, kind, RECORD_KEYED));
}

static void ends_at(uint64_t when) { s.segment.header->session_stopped = zero + when; }

/* ---- the profile ---- */

static struct snapshot shot_now(void)
{
    struct view v;
    struct snapshot shot;
    cr_assert_eq(view_of_memory(&v, s.segment.base, s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE), 0);
    cr_assert_eq(look(&shot, &v, 0), 0);
    return shot;
}

static struct profile profile_of_shot(struct snapshot *shot)
{
    struct profile p;
    cr_assert_eq(profile_make(&p, shot), 0);
    snapshot_free(shot);
    return p;
}

static struct profile profile_now(void)
{
    struct snapshot shot = shot_now();
    return profile_of_shot(&shot);
}

static const struct profile_site *site_in(const struct profile *p, uint32_t id)
{
    const struct profile_site *site = profile_site(p, id);
    cr_assert(site, "site %u", id);
    return site;
}

static const struct profile_times *pair_in(const struct profile *p, uint32_t caller, uint32_t callee)
{
    for (uint32_t i = 0; i < p->pairs; i++)
        if (p->pair[i].caller == caller && p->pair[i].callee == callee)
            return &p->pair[i].t;
    cr_assert_fail("no pair %u %u", caller, callee);
    return NULL;
}

/* "calls/primitive inclusive-exclusive" */
static const char *sums(const struct profile_times *t)
{
    static char text[128];
    snprintf(text, sizeof text, "%lu/%lu %lu-%lu", t->calls, t->primitive_calls, t->inclusive, t->exclusive);
    return text;
}
static const char *site_sums(const struct profile *p, uint32_t id) { return sums(&site_in(p, id)->t); }
static const char *pair_sums(const struct profile *p, uint32_t caller, uint32_t callee) { return sums(pair_in(p, caller, callee)); }

/* "A1:100-80(B2:20-20) C1:5-5": letter of the site, calls, inclusive, exclusive, callees; "*" is (other). */
static void write_nodes(FILE *out, const struct profile *p, uint32_t first)
{
    for (uint32_t i = first; i; i = p->node[i].next_sibling) {
        const struct profile_node *n = &p->node[i];
        fprintf(out, "%s%c%lu:%lu-%lu", i == first ? "" : " ", n->other ? '*' : (int)('A' + n->site - 1), n->t.calls, n->t.inclusive, n->t.exclusive);
        if (!n->first_child)
            continue;
        putc('(', out);
        write_nodes(out, p, n->first_child);
        putc(')', out);
    }
}

static const char *tree(const struct profile *p, uint32_t thread)
{
    static char text[4096];
    cr_assert_lt(thread, p->threads);
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text, "w");
    write_nodes(out, p, p->thread[thread].first_root);
    fclose(out);
    return text;
}

/* ---- nothing ---- */

Test(profile, a_segment_without_calls)
{
    struct profile p = profile_now();
    cr_expect(p.complete);
    cr_expect_eq(p.sites, SITES, "sites without calls are listed");
    cr_expect_eq(p.pairs, 0);
    cr_expect_eq(p.calls, 0);
    cr_expect_eq(p.records, 0);
    cr_expect_eq(p.threads, 1, "a living thread that recorded nothing");
    cr_expect_str_eq(tree(&p, 0), "");
    cr_expect_eq(p.thread[0].roots, 0);
    cr_expect_str_eq(site_sums(&p, A), "0/0 0-0");
    cr_expect_eq(site_in(&p, A)->spread.min, 0);
    cr_expect_eq(site_in(&p, A)->spread.max, 0);
    cr_expect_eq(site_in(&p, A)->spread.p99, 0);
    profile_free(&p);
    cr_expect_null(p.site);
    profile_free(&p); /* as often as one likes */
}

Test(profile, sites_have_their_names)
{
    struct profile p = profile_now();
    const struct profile_site *site = site_in(&p, C);
    cr_expect_eq(site->id, C);
    cr_expect_str_eq(site->name, "f3");
    cr_expect_str_eq(site->module, "m");
    cr_expect_str_eq(site->file, "m.py");
    cr_expect_eq(site->line, 3);
    cr_expect_null(profile_site(&p, 0));
    cr_expect_null(profile_site(&p, SITES + 1));
    profile_free(&p);
}

Test(profile, names_as_long_as_can_be)
{
    char name[SITE_STRING_MAX + 100];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct site site = {.name = name, .qualname = name, .module = "m", .file = "m.py"};
    uint32_t number = sites_intern(s.sites, &site);
    struct profile p = profile_now();
    cr_expect_eq(strlen(site_in(&p, number)->name), SITE_STRING_MAX);
    profile_free(&p);
}

Test(profile, sites_of_the_recorder_itself_are_not_shown)
{
    struct site own = {.name = "own", .qualname = "own", .module = "m", .file = "m.py", .kind = SITE_OWN};
    uint32_t number = sites_intern(s.sites, &own);
    struct site later = {.name = "later", .qualname = "later", .module = "m", .file = "m.py"};
    uint32_t after = sites_intern(s.sites, &later);
    enter(0, A);
    call(1, 4, number);
    call(5, 7, after);
    leave(10, A);
    struct profile p = profile_now();
    cr_expect_eq(p.sites, SITES + 1);
    cr_expect_null(profile_site(&p, number));
    cr_expect_str_eq(site_in(&p, after)->name, "later", "found by id, though one is missing before it");
    cr_expect_str_eq(site_sums(&p, after), "1/1 2-2");
    cr_expect_eq(p.pairs, 2, "no pair without its callee");
    cr_expect_eq(p.calls, 2);
    profile_free(&p);
}

/* Whatever numbers are missing, and wherever. */
Test(profile, a_site_is_found_among_numbers_with_gaps)
{
    enum { NUMBERS = 9 };
    for (uint32_t set = 0; set < 1u << NUMBERS; set++) {
        struct profile_site site[NUMBERS];
        struct profile p = {.site = site};
        for (uint32_t id = 1; id <= NUMBERS; id++)
            if (set >> (id - 1) & 1)
                site[p.sites++] = (struct profile_site){.id = id * 3};
        for (uint32_t id = 0; id <= 3 * NUMBERS + 3; id++) {
            const struct profile_site *found = profile_site(&p, id);
            bool there = id && id % 3 == 0 && id <= 3 * NUMBERS && set >> (id / 3 - 1) & 1;
            cr_assert_eq(found != NULL, there, "%u in %x", id, set);
            cr_assert(!found || found->id == id);
        }
        cr_assert_null(profile_site(&p, UINT32_MAX));
    }
}

/* Somebody began to record while the recorder measured itself. */
Test(profile, calls_of_the_recorder_itself_are_no_roots)
{
    struct site own = {.name = "own", .qualname = "own", .module = "m", .file = "m.py", .kind = SITE_OWN};
    uint32_t number = sites_intern(s.sites, &own);
    call(0, 5, A);
    call(6, 16, number);
    call(20, 24, B);
    lane_begins("measures");
    call(30, 38, number);
    struct profile p = profile_now();
    cr_expect_eq(p.threads, 2);
    cr_expect_str_eq(tree(&p, 0), "A1:5-5 B1:4-4");
    cr_expect_eq(p.thread[0].roots, 9);
    cr_expect_eq(p.thread[0].count, 1);
    cr_expect_str_eq(tree(&p, 1), "");
    cr_expect_eq(p.thread[1].roots, 0);
    cr_expect_eq(p.thread[1].count, 0);
    profile_free(&p);
}

/* ---- variants ---- */

/* Calls of A and B, some of them counted under variants, which call each other. */
static void calls_of_variants(uint32_t *a, uint32_t *b)
{
    *a = sites_add_variant(s.sites, A);
    *b = sites_add_variant(s.sites, B);
    enter(0, A);
    call(10, 30, B);
    call(40, 45, *b);
    leave(100, A);
    enter(200, *a);
    call(210, 220, B);
    leave(230, *a);
    enter(300, *a);
    call(310, 320, A);
    leave(350, *a);
}

Test(profile, calls_of_variants_are_the_functions)
{
    uint32_t a, b;
    calls_of_variants(&a, &b);
    struct profile p = profile_now();
    cr_expect_str_eq(tree(&p, 0), "A3:180-135(B3:35-35 A1:10-10)");
    cr_expect_str_eq(site_sums(&p, A), "4/3 180-145");
    cr_expect_str_eq(site_sums(&p, B), "3/3 35-35");
    cr_expect_str_eq(pair_sums(&p, A, B), "3/3 35-35");
    cr_expect_str_eq(pair_sums(&p, A, A), "1/0 10-10");
    cr_expect_eq(p.sites, SITES);
    cr_expect_eq(p.pairs, 3);
    cr_expect(site_in(&p, A)->spread.ended == 4 && site_in(&p, A)->spread.max == 100 && site_in(&p, A)->spread.min == 10);
    profile_free(&p);
}

Test(profile, variants_are_shown_apart_to_who_asks)
{
    uint32_t a, b;
    struct profile p;
    calls_of_variants(&a, &b);
    struct snapshot shot = shot_now();
    struct profile_source source = {.snapshot = &shot, .apart = true};
    cr_assert_eq(profile_make_sum(&p, &source, 1), 0);
    snapshot_free(&shot);
    cr_expect_str_eq(site_sums(&p, A), "2/2 110-85");
    cr_expect_str_eq(site_sums(&p, a), "2/2 80-60");
    cr_expect_str_eq(site_sums(&p, B), "2/2 30-30");
    cr_expect_str_eq(site_sums(&p, b), "1/1 5-5");
    cr_expect_str_eq(pair_sums(&p, a, B), "1/1 10-10");
    cr_expect_str_eq(pair_sums(&p, a, A), "1/1 10-10");
    cr_expect_str_eq(site_in(&p, a)->name, "f1");
    profile_free(&p);
}

/* ---- times ---- */

/*      0        10    30  40  45            100
 *   A  |---------|-----|---|---|-------------|
 *   B            |--B--|   |-B-|                  */
Test(profile, callees_time_is_not_the_callers_own)
{
    enter(0, A);
    call(10, 30, B);
    call(40, 45, B);
    leave(100, A);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, A), "1/1 100-75");
    cr_expect_str_eq(site_sums(&p, B), "2/2 25-25");
    cr_expect_str_eq(pair_sums(&p, 0, A), "1/1 100-75");
    cr_expect_str_eq(pair_sums(&p, A, B), "2/2 25-25");
    cr_expect_eq(p.pairs, 2);
    cr_expect_str_eq(tree(&p, 0), "A1:100-75(B2:25-25)");
    cr_expect_eq(p.thread[0].roots, 100);
    cr_expect_eq(p.calls, 3);
    cr_expect_eq(p.records, 6);
    profile_free(&p);
}

/* A(0..100) > A(10..60) > B(20..30) > A(22..28): only the outermost A counts as inclusive, all of them as own. */
Test(profile, recursion_counts_its_outermost_call_as_inclusive)
{
    enter(0, A);
    enter(10, A);
    enter(20, B);
    call(22, 28, A);
    leave(30, B);
    leave(60, A);
    leave(100, A);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, A), "3/1 100-96");
    cr_expect_str_eq(site_sums(&p, B), "1/1 10-4");
    cr_expect_str_eq(pair_sums(&p, 0, A), "1/1 100-50");
    cr_expect_str_eq(pair_sums(&p, A, A), "1/0 50-40");
    cr_expect_str_eq(pair_sums(&p, A, B), "1/1 10-4");
    cr_expect_str_eq(pair_sums(&p, B, A), "1/0 6-6");
    cr_expect_str_eq(tree(&p, 0), "A1:100-50(A1:50-40(B1:10-4(A1:6-6)))");
    uint32_t outer = p.thread[0].first_root, inner = p.node[outer].first_child;
    cr_expect_eq(p.node[outer].t.primitive_calls, 1);
    cr_expect_eq(p.node[inner].t.primitive_calls, 0);
    cr_expect_eq(p.node[inner].parent, outer);
    profile_free(&p);
}

/* A > B > A > B: the pair (A, B) is open already when it comes again. */
Test(profile, a_pair_within_itself_counts_once_as_inclusive)
{
    enter(0, A);
    enter(10, B);
    enter(20, A);
    call(30, 40, B);
    leave(50, A);
    leave(60, B);
    leave(70, A);
    struct profile p = profile_now();
    cr_expect_str_eq(pair_sums(&p, A, B), "2/1 50-30");
    cr_expect_str_eq(pair_sums(&p, B, A), "1/0 30-20");
    cr_expect_str_eq(site_sums(&p, A), "2/1 70-40");
    cr_expect_str_eq(site_sums(&p, B), "2/1 50-30");
    profile_free(&p);
}

/* After recursion on one path the same site on the next is primitive again: what is open is forgotten on the way up. */
Test(profile, recursion_ends_with_its_path)
{
    enter(0, A);
    call(10, 20, A);
    leave(30, A);
    enter(40, B);
    enter(50, A);
    call(52, 55, A);
    leave(60, A);
    leave(70, B);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, A), "4/2 40-40");
    cr_expect_str_eq(pair_sums(&p, B, A), "1/1 10-7");
    cr_expect_str_eq(pair_sums(&p, A, A), "2/0 13-13");
    cr_expect_eq(p.thread[0].roots, 60);
    profile_free(&p);
}

Test(profile, callees_come_by_inclusive_time_then_as_first_called)
{
    enter(0, A);
    call(1, 3, B);
    call(4, 9, C);
    call(10, 12, D);
    call(20, 40, E);
    leave(50, A);
    call(60, 70, B);
    call(80, 200, C);
    struct profile p = profile_now();
    cr_expect_str_eq(tree(&p, 0), "C1:120-120 A1:50-21(E1:20-20 C1:5-5 B1:2-2 D1:2-2) B1:10-10");
    cr_expect_eq(p.thread[0].roots, 180);
    profile_free(&p);
}

/* More nodes than a page holds, in an order of their own. */
Test(profile, many_callees_are_sorted)
{
    enum { MANY = 300 };
    uint64_t t = 0;
    char name[16];
    struct site site = {.name = name, .qualname = name, .module = "m", .file = "m.py"};
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "g%u", i);
        call(t, t + 1 + i * 7919 % MANY, sites_intern(s.sites, &site));
        t += 2 * MANY;
    }
    struct profile p = profile_now();
    uint64_t expected = MANY, roots = 0;
    for (uint32_t i = p.thread[0].first_root; i; i = p.node[i].next_sibling, expected--) {
        cr_expect_eq(p.node[i].t.inclusive, expected);
        roots += p.node[i].t.inclusive;
    }
    cr_expect_eq(expected, 0);
    cr_expect_eq(roots, MANY * (MANY + 1) / 2);
    cr_expect_eq(p.thread[0].roots, roots);
    cr_expect_eq(p.pairs, MANY);
    profile_free(&p);
}

Test(profile, pairs_come_by_caller_then_callee)
{
    call(0, 1, D);
    enter(2, C);
    call(3, 4, B);
    call(5, 6, A);
    leave(7, C);
    call(8, 9, A);
    struct profile p = profile_now();
    static const uint32_t expected[][2] = {{0, A}, {0, C}, {0, D}, {C, A}, {C, B}};
    cr_assert_eq(p.pairs, 5);
    for (uint32_t i = 0; i < 5; i++)
        cr_expect(p.pair[i].caller == expected[i][0] && p.pair[i].callee == expected[i][1], "pair %u", i);
    profile_free(&p);
}

/* A(0..100), 30 of it off the CPU; in B(40..60) 5 of it. */
Test(profile, time_off_the_cpu_is_parted_like_the_rest)
{
    enter(0, A);
    off_cpu(30, 25);
    enter(40, B);
    off_cpu(50, 5);
    leave(60, B);
    leave(100, A);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->t.off_inclusive, 30);
    cr_expect_eq(site_in(&p, A)->t.off_exclusive, 25);
    cr_expect_eq(site_in(&p, B)->t.off_inclusive, 5);
    cr_expect_eq(site_in(&p, B)->t.off_exclusive, 5);
    cr_expect_eq(pair_in(&p, A, B)->off_inclusive, 5);
    profile_free(&p);
}

Test(profile, the_recorders_own_time_is_nobodys)
{
    enter(0, A);
    record(40, record_pack_duration(15, RECORD_OWN));
    leave(100, A);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, A), "1/1 85-85");
    cr_expect_eq(p.own, 15);
    profile_free(&p);
}

/* ---- how calls end ---- */

Test(profile, calls_that_raised_are_counted)
{
    enter(0, A);
    enter(10, B);
    leave_by(20, B, RECORD_RAISED);
    leave(30, A);
    call(40, 50, B);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->t.raised, 0);
    cr_expect_eq(site_in(&p, B)->t.raised, 1);
    cr_expect_eq(pair_in(&p, A, B)->raised, 1);
    cr_expect_eq(pair_in(&p, 0, B)->raised, 0);
    cr_expect_eq(site_in(&p, B)->spread.ended, 2);
    profile_free(&p);
}

/* They have lasted until recording stopped, and are no measure of how long a call takes. */
Test(profile, calls_that_are_open_have_lasted_until_the_end)
{
    call(0, 10, B);
    enter(20, A);
    enter(50, B);
    ends_at(120);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, A), "1/1 100-30");
    cr_expect_str_eq(site_sums(&p, B), "2/2 80-80");
    cr_expect_eq(site_in(&p, A)->t.open, 1);
    cr_expect_eq(site_in(&p, B)->t.open, 1);
    cr_expect_eq(pair_in(&p, A, B)->open, 1);
    cr_expect_eq(pair_in(&p, 0, B)->open, 0);
    cr_expect_eq(site_in(&p, B)->spread.ended, 1);
    cr_expect_eq(site_in(&p, B)->spread.max, 10);
    cr_expect_eq(site_in(&p, A)->spread.ended, 0);
    cr_expect_eq(site_in(&p, A)->spread.min, 0);
    profile_free(&p);
}

Test(profile, calls_cut_by_a_stop_stay_open)
{
    enter(0, A);
    enter(10, B);
    w->last = zero + 30;
    writer_cut(w, zero + 30);
    call(40, 50, C);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->t.open, 1);
    cr_expect_eq(site_in(&p, B)->t.open, 1);
    cr_expect_eq(site_in(&p, C)->t.open, 0);
    cr_expect_str_eq(tree(&p, 0), "A1:30-10(B1:20-20) C1:10-10");
    profile_free(&p);
}

/* Runs 10..20, waits, runs 50..55 under another caller: one call, on the path where it began. */
Test(profile, a_generator_is_one_call_and_waits_apart)
{
    enter(0, A);
    keyed(10, 64, B, RECORD_ENTER);
    keyed(20, 64, B, RECORD_SUSPEND);
    leave(30, A);
    enter(40, C);
    keyed(50, 64, B, RECORD_RESUME);
    keyed(55, 64, B, RECORD_SUSPEND);
    leave(60, C);
    struct profile p = profile_now();
    const struct profile_times *b = &site_in(&p, B)->t;
    cr_expect_str_eq(sums(b), "1/1 15-15");
    cr_expect_eq(b->waited, 30);
    cr_expect_eq(b->elapsed, 45, "from 10 to 55: what it waits for now counts when it goes on");
    cr_expect_eq(b->open, 1);
    cr_expect_eq(b->suspended, 1);
    cr_expect_eq(pair_in(&p, A, B)->calls, 1);
    cr_expect_eq(pair_in(&p, C, B)->calls, 0);
    cr_expect_eq(pair_in(&p, C, B)->inclusive, 5);
    cr_expect_eq(pair_in(&p, A, B)->elapsed + pair_in(&p, C, B)->elapsed, 45);
    cr_expect_eq(pair_in(&p, C, B)->suspended, 1, "it waits where it ran last");
    cr_expect_eq(site_in(&p, B)->spread.ended, 0);
    profile_free(&p);
}

/* B awaits itself, and both wait for 30 ticks: the inner call's time is in the outer one's, waiting or running. A plain
 * call's elapsed time is its inclusive one, whatever it called waited meanwhile. */
/* Two of B within A: the first is a recursion, and the second that of another task. */
static void check_apart(uint64_t outermost)
{
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, B)->spread.ended, 3);
    cr_expect_eq(site_in(&p, B)->outermost, outermost);
    cr_expect_eq(site_in(&p, A)->outermost, 0, "it is open");
    profile_free(&p);
}

Test(profile, a_block_of_another_task_is_no_recursion)
{
    enter(0, A);
    enter(10, B);
    enter(20, B);
    leave(30, B);
    enter(40, B);
    leave_by(60, B, RECORD_APART);
    leave(100, B);
    check_apart(90 + 20);
    writer_flush(w);
    check_apart(90 + 20);
    ends_at(200);
    lanes_close(s.lanes, w);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, B)->t.inclusive, 90, "the thread took no longer");
    profile_free(&p);
}

/* It began first, and ends first; the other one is open still. */
Test(profile, a_block_of_another_task_that_ends_out_of_order)
{
    enter(0, B);
    enter(10, A);
    enter(20, B);
    enter(30, C);
    record(50, record_pack(B, 3, RECORD_EXIT, RECORD_APART));
    record(70, record_pack(B, 1, RECORD_EXIT, 0));
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, B)->outermost, 70 + 30);
    cr_expect_eq(site_in(&p, B)->spread.min, 30);
    profile_free(&p);
}

Test(profile, a_block_of_another_task_that_a_stop_cuts_has_not_ended)
{
    enter(0, B);
    enter(10, B);
    leave_by(30, B, RECORD_CUT | RECORD_APART);
    leave(40, B);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, B)->outermost, 40);
    profile_free(&p);
}

Test(profile, elapsed_time_is_that_of_outermost_calls)
{
    enter(0, A);
    keyed(10, 64, B, RECORD_ENTER);
    keyed(12, 128, B, RECORD_ENTER);
    keyed(15, 128, B, RECORD_SUSPEND);
    keyed(20, 64, B, RECORD_SUSPEND);
    keyed(50, 64, B, RECORD_RESUME);
    keyed(52, 128, B, RECORD_RESUME);
    leave(54, B);
    leave(60, B);
    leave(70, A);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, B), "2/1 20-20");
    cr_expect_eq(site_in(&p, B)->t.waited, 30 + 37);
    cr_expect_eq(site_in(&p, B)->t.elapsed, 50, "from 10 to 60");
    cr_expect_eq(pair_in(&p, B, B)->elapsed, 42, "from 12 to 54");
    cr_expect_eq(site_in(&p, A)->t.elapsed, 70);
    profile_free(&p);
}

/* Begun before recording was: its time counts, no call does, neither while it waits. */
Test(profile, a_generator_begun_elsewhere_is_no_open_call)
{
    keyed(10, 64, B, RECORD_RESUME);
    keyed(20, 64, B, RECORD_SUSPEND);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, B), "0/0 10-10");
    cr_expect_eq(site_in(&p, B)->t.open, 0);
    cr_expect_eq(site_in(&p, B)->t.suspended, 0);
    profile_free(&p);
}

/* ---- quantiles ---- */

/* Nearest rank; below 16 ticks a histogram is exact. Lengths 1 .. 10, ten of each: the 50th is 5, the 95th and 99th 10. */
Test(profile, quantiles_of_short_calls_are_exact)
{
    for (uint64_t i = 0; i < 100; i++)
        call(20 * i, 20 * i + 1 + i * 7 % 10, A);
    struct profile p = profile_now();
    const struct profile_site *a = site_in(&p, A);
    cr_expect_eq(a->spread.ended, 100);
    cr_expect_eq(a->spread.min, 1);
    cr_expect_eq(a->spread.max, 10);
    cr_expect_eq(a->spread.p50, 5);
    cr_expect_eq(a->spread.p95, 10);
    cr_expect_eq(a->spread.p99, 10);
    profile_free(&p);
}

/* One ran 10 and waited 30 in between, another ran 4 and never waited; a third is open, a fourth waits still. */
Test(profile, elapsed_times_of_calls_that_have_ended)
{
    enter(0, A);
    keyed(10, 64, B, RECORD_ENTER);
    keyed(13, 64, B, RECORD_SUSPEND);
    keyed(20, 128, B, RECORD_ENTER);
    leave(24, B);
    keyed(43, 64, B, RECORD_RESUME);
    leave(50, B);
    keyed(60, 192, B, RECORD_ENTER);
    keyed(61, 192, B, RECORD_SUSPEND);
    keyed(70, 256, B, RECORD_ENTER);
    struct profile p = profile_now();
    const struct profile_spread *b = &site_in(&p, B)->spread;
    cr_expect_eq(b->ended, 2);
    cr_expect_eq(b->min, 4);
    cr_expect_eq(b->max, 10);
    cr_expect_eq(b->p50, 4);
    cr_expect_eq(b->p99, 10);
    cr_expect_eq(b->deviation, 3);
    cr_expect_eq(b->elapsed_min, 4);
    cr_expect_eq(b->elapsed_max, 40);
    cr_expect_eq(b->elapsed_p50, 4);
    cr_expect_eq(b->elapsed_p99, 40);
    profile_free(&p);
}

/* Its stretches are on two paths, its duration on the one where it ended: 15 and 5, so 5 from their mean. */
Test(profile, the_deviation_of_calls_that_end_on_another_path)
{
    enter(0, A);
    keyed(10, 64, B, RECORD_ENTER);
    keyed(20, 64, B, RECORD_SUSPEND);
    leave(30, A);
    enter(40, C);
    keyed(50, 64, B, RECORD_RESUME);
    leave(55, B);
    call(60, 65, B);
    leave(100, C);
    struct profile p = profile_now();
    const struct profile_spread *b = &site_in(&p, B)->spread;
    cr_expect_eq(b->ended, 2);
    cr_expect_eq(b->deviation, 5);
    cr_expect_eq(b->elapsed_max, 45);
    cr_expect_eq(site_in(&p, A)->spread.deviation, 0, "one call deviates from nothing");
    profile_free(&p);
}

/* 98 calls of 2, one of 3, one of 14. */
Test(profile, quantiles_tell_the_rare_from_the_common)
{
    for (uint64_t i = 0; i < 100; i++)
        call(20 * i, 20 * i + (i == 7 ? 3 : i == 70 ? 14 : 2), A);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->spread.p50, 2);
    cr_expect_eq(site_in(&p, A)->spread.p95, 2);
    cr_expect_eq(site_in(&p, A)->spread.p99, 3);
    cr_expect_eq(site_in(&p, A)->spread.max, 14);
    profile_free(&p);
}

/* A step of the histogram is wider than a tick there: its middle is outside of what was measured. */
Test(profile, quantiles_lie_between_the_extremes)
{
    call(0, 1000000, A);
    call(2000000, 2001025, B);
    call(3000000, 3001026, B);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->spread.p50, 1000000);
    cr_expect_eq(site_in(&p, A)->spread.p99, 1000000);
    cr_expect_eq(site_in(&p, B)->spread.p50, 1026, "the middle of 1024 .. 1087 is more than the longest");
    cr_expect_eq(site_in(&p, B)->spread.min, 1025);
    profile_free(&p);
}

/* Of lengths far apart, and others' in between: 3, 3, 3, 1000000 are the second and the last of four. */
Test(profile, quantiles_are_of_one_site)
{
    call(0, 3, A);
    call(10, 17, B);
    call(100, 1000100, A);
    call(2000000, 2000003, A);
    call(2000010, 2000013, A);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->spread.ended, 4);
    cr_expect_eq(site_in(&p, A)->spread.p50, 3);
    cr_expect_eq(site_in(&p, A)->spread.p99, histogram_value(histogram_exponent(1000000), histogram_step(1000000)));
    cr_expect_eq(site_in(&p, B)->spread.ended, 1);
    cr_expect_eq(site_in(&p, B)->spread.p50, 7);
    profile_free(&p);
}

Test(profile, quantiles_are_of_all_threads)
{
    for (uint64_t i = 0; i < 60; i++)
        call(20 * i, 20 * i + 3, A);
    lane_begins("another");
    for (uint64_t i = 0; i < 40; i++)
        call(20 * i, 20 * i + 9, A);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->spread.ended, 100);
    cr_expect_eq(site_in(&p, A)->spread.p50, 3);
    cr_expect_eq(site_in(&p, A)->spread.p95, 9);
    profile_free(&p);
}

/* ---- paths that were given up ---- */

/* Root and A fit. A > B > A > B, then B alone: the sums are as if there had been room. */
static void with_two_nodes(void)
{
    w->folder.node_limit = 2;
    enter(0, A);
    enter(10, B);
    enter(20, A);
    call(30, 40, B);
    leave(50, A);
    leave(60, B);
    leave(70, A);
    call(80, 95, B);
}

Test(profile, sites_and_pairs_are_exact_without_their_paths)
{
    with_two_nodes();
    writer_flush(w);
    struct profile p = profile_now();
    cr_expect_str_eq(site_sums(&p, A), "2/1 70-40");
    cr_expect_str_eq(site_sums(&p, B), "3/2 65-45");
    cr_expect_str_eq(pair_sums(&p, A, B), "2/1 50-30");
    cr_expect_str_eq(pair_sums(&p, B, A), "1/0 30-20");
    cr_expect_str_eq(pair_sums(&p, 0, B), "1/1 15-15");
    cr_expect_eq(p.unpathed, 4);
    cr_expect_eq(p.calls, 5);
    profile_free(&p);
}

/* The roots' time is 70 + 15: of the flat calls only the one without a caller is a root. */
Test(profile, given_up_paths_lie_below_other)
{
    with_two_nodes();
    writer_flush(w);
    struct profile p = profile_now();
    cr_expect_str_eq(tree(&p, 0), "A1:70-20 *0:0-0(B1:50-20 A1:30-20 B1:15-15 B1:10-10)");
    cr_expect_eq(p.thread[0].roots, 85);
    profile_free(&p);
}

/* ---- threads ---- */

Test(profile, threads_come_in_the_order_they_began)
{
    struct writer *first = w;
    call(0, 10, A);
    lane_begins("second");
    call(0, 20, A);
    lane_begins("third");
    call(0, 40, B);
    w = first;
    struct profile p = profile_now();
    cr_assert_eq(p.threads, 3);
    cr_expect_str_eq(p.thread[0].name, "main");
    cr_expect_str_eq(p.thread[1].name, "second");
    cr_expect_str_eq(p.thread[2].name, "third");
    cr_expect_str_eq(tree(&p, 0), "A1:10-10");
    cr_expect_str_eq(tree(&p, 1), "A1:20-20");
    cr_expect_str_eq(tree(&p, 2), "B1:40-40");
    cr_expect_str_eq(site_sums(&p, A), "2/2 30-30");
    cr_expect_eq(p.thread[1].tid, (uint32_t)gettid());
    cr_expect(!p.thread[1].exited && !p.thread[1].merged && p.thread[1].complete);
    profile_free(&p);
}

/* The same site on two threads at once is no recursion. */
Test(profile, recursion_is_a_matter_of_one_thread)
{
    enter(0, A);
    lane_begins("another");
    enter(0, A);
    ends_at(100);
    struct profile p = profile_now();
    cr_expect_eq(site_in(&p, A)->t.primitive_calls, 2);
    cr_expect_eq(site_in(&p, A)->t.exclusive, site_in(&p, A)->t.inclusive);
    profile_free(&p);
}

/* With rows for two exited threads, of which one is left when the last thread has taken the other's lane. */
Test(profile, exited_threads_are_merged_into_the_last_row)
{
    for (uint32_t i = 0; i < 4; i++) {
        lane_begins("worker");
        call(0, 10 + i, A);
        lanes_close(s.lanes, w);
    }
    lane_begins("late");
    call(0, 5, B);
    struct profile p = profile_now();
    cr_assert_eq(p.threads, 4, "%u", p.threads);
    cr_expect_str_eq(p.thread[0].name, "main");
    cr_expect(p.thread[1].exited && !p.thread[1].merged);
    cr_expect_str_eq(tree(&p, 1), "A1:13-13");
    cr_expect(!p.thread[2].exited);
    cr_expect_str_eq(tree(&p, 2), "B1:5-5");
    cr_expect(p.thread[3].merged);
    cr_expect_eq(p.thread[3].tid, 0);
    cr_expect_str_eq(tree(&p, 3), "A3:33-33");
    cr_expect_eq(p.thread[0].count, 0, "without calls");
    cr_expect_eq(p.thread[1].count, 1);
    cr_expect_eq(p.thread[3].count, 3);
    cr_expect_eq(p.records, 10);
    cr_expect_str_eq(site_sums(&p, A), "4/4 46-46");
    cr_expect_eq(site_in(&p, A)->spread.min, 10);
    cr_expect_eq(site_in(&p, A)->spread.max, 13);
    cr_expect_eq(site_in(&p, A)->spread.p50, 11);
    profile_free(&p);
}

Test(profile, after_a_reset_exited_threads_are_gone_and_the_living_empty)
{
    lane_begins("worker");
    call(0, 10, A);
    lanes_close(s.lanes, w);
    s.segment.header->resets++;
    struct profile p = profile_now();
    cr_expect_eq(p.threads, 1);
    cr_expect_eq(p.thread[0].count, 0);
    cr_expect_str_eq(p.thread[0].name, "main");
    cr_expect_eq(p.calls, 0);
    cr_expect_eq(p.records, 0);
    profile_free(&p);
}

/* ---- what is not in the numbers ---- */

Test(profile, versions_that_do_not_tell_of_closed_generators)
{
    static const struct {
        const char *python;
        bool untold;
    } versions[] = {{"3.9.18", false}, {"3.12.10", false}, {"3.13.0", true},   {"3.13.9", true},  {"3.13.9+", true}, {"3.13.10", false},
                    {"3.14.0", true},  {"3.14.1", false},  {"3.14.0rc2", true}, {"3.15.0", false}, {"", false},       {"4.13.0", false}};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct segment_header h = {0};
        snprintf(h.python, sizeof h.python, "%s", versions[i].python);
        cr_expect_eq(profile_closes_untold(&h), versions[i].untold, "%s", versions[i].python);
    }
}

Test(profile, counters_of_the_segment_and_of_all_lanes)
{
    struct segment_header *h = s.segment.header;
    h->lost_calls = 5;
    h->lost_sites = 6;
    h->lost_lanes = 7;
    h->paused = 8;
    h->displaced = 9;
    h->refused_growth = 10;
    h->interpreters = 12;
    h->call_cost = 11;
    w->lane->lost = 100;
    w->lane->mismatched = 1;
    lane_begins("another");
    w->lane->lost = 1000;
    w->lane->mismatched = 2;
    w->lane->silent_ends = 3;
    w->lane->clamped = 4;
    struct profile p = profile_now();
    cr_expect_eq(p.lost, 1105);
    cr_expect_eq(p.lost_sites, 6);
    cr_expect_eq(p.lost_lanes, 7);
    cr_expect_eq(p.paused, 8);
    cr_expect_eq(p.displaced, 9);
    cr_expect_eq(p.refused_growth, 10);
    cr_expect_eq(p.lost_interpreters, 12);
    cr_expect_eq(p.call_cost, 11);
    cr_expect_eq(p.mismatched, 3);
    cr_expect_eq(p.silent_ends, 3);
    cr_expect_eq(p.clamped, 4);
    profile_free(&p);
}

Test(profile, a_thread_that_could_not_be_copied_is_named_and_has_no_numbers)
{
    call(0, 10, A);
    lane_begins("busy");
    call(0, 20, A);
    struct snapshot shot = shot_now();
    for (uint32_t i = 0; i < shot.lanes; i++)
        if (strcmp(shot.lane[i].name, "busy") == 0)
            shot.lane[i].complete = shot.complete = false;
    struct profile p = profile_of_shot(&shot);
    cr_expect_not(p.complete);
    cr_assert_eq(p.threads, 2);
    cr_expect(p.thread[0].complete && !p.thread[1].complete);
    cr_expect_eq(p.thread[1].first_root, 0);
    cr_expect_str_eq(site_sums(&p, A), "1/1 10-10");
    profile_free(&p);
}

/* ---- sums that cannot be: snapshots vouch for the shape of what is in them, not for its numbers ---- */

static struct node *node_of(struct snapshot *shot, uint32_t site)
{
    struct page_header *page = segment_page_at(shot->image, lane_side(shot->lane[0].lane)->chain[PAGE_NODE]);
    struct node *n = (struct node *)((char *)page + PAGE_ITEMS_OFFSET);
    for (uint32_t i = 0; i < page->used; i++)
        if (node_site(&n[i]) == site)
            return &n[i];
    cr_assert_fail("no node of site %u", site);
    return NULL;
}

static struct bucket_block *block_of(struct snapshot *shot, uint32_t site)
{
    chain_each_item(struct bucket_block, b, shot->image, lane_side(shot->lane[0].lane)->chain[PAGE_HISTOGRAM])
        if (identity_site(key_block_identity(b->item.key)) == site)
            return b;
    cr_assert_fail("no block of site %u", site);
    return NULL;
}

Test(profile, callees_that_took_longer_than_their_caller_leave_it_nothing)
{
    enter(0, A);
    call(10, 30, B);
    leave(100, A);
    struct snapshot shot = shot_now();
    node_of(&shot, A)->children = 101;
    struct profile p = profile_of_shot(&shot);
    cr_expect_str_eq(site_sums(&p, A), "1/1 100-0");
    cr_expect_eq(p.clamped, 1);
    profile_free(&p);
}

Test(profile, no_more_time_off_the_cpu_than_time)
{
    enter(0, A);
    call(10, 30, B);
    leave(100, A);
    struct snapshot shot = shot_now();
    struct node *a = node_of(&shot, A), *b = node_of(&shot, B);
    a->off_inclusive = 1000;
    a->off_children = 0;
    b->off_inclusive = 3;
    b->off_children = 7;
    struct profile p = profile_of_shot(&shot);
    cr_expect_eq(site_in(&p, A)->t.off_inclusive, 100);
    cr_expect_eq(site_in(&p, A)->t.off_exclusive, 80);
    cr_expect_eq(site_in(&p, B)->t.off_inclusive, 3);
    cr_expect_eq(site_in(&p, B)->t.off_exclusive, 0);
    profile_free(&p);
}

/* As a snapshot leaves those whose sums are in the merged lane already. */
Test(profile, paths_on_which_nothing_happened_are_not_shown)
{
    enter(0, A);
    call(10, 30, B);
    call(40, 50, C);
    leave(100, A);
    struct snapshot shot = shot_now();
    struct node *b = node_of(&shot, B);
    b->calls = b->inclusive = b->squares[0] = 0;
    struct profile p = profile_of_shot(&shot);
    cr_expect_str_eq(tree(&p, 0), "A1:100-70(C1:10-10)");
    cr_expect_eq(p.pairs, 2);
    profile_free(&p);
}

Test(profile, extremes_that_contradict_the_histogram_do_no_harm)
{
    call(0, 10, A);
    struct snapshot shot = shot_now();
    block_of(&shot, A)->min = 500;
    block_of(&shot, A)->max = 400;
    struct profile p = profile_of_shot(&shot);
    cr_expect(site_in(&p, A)->spread.p50 == 400 || site_in(&p, A)->spread.p50 == 500);
    profile_free(&p);
}

/* 10 and 30: a deviation of 10. Whatever the sums say, it is at most half of what is between the extremes, and 1. */
Test(profile, squares_that_contradict_the_extremes_do_no_harm)
{
    const uint64_t odd[] = {0, 1, 1ull << 32, UINT64_MAX / 3, UINT64_MAX};
    enum { ODD = sizeof odd / sizeof *odd };
    call(0, 10, A);
    call(20, 50, A);
    struct snapshot shot = shot_now();
    for (unsigned i = 0; i < ODD * ODD * ODD; i++) {
        struct node *n = node_of(&shot, A);
        n->squares[0] = odd[i % ODD];
        n->squares[1] = odd[i / ODD % ODD];
        n->unended = odd[i / ODD / ODD];
        struct profile p;
        cr_assert_eq(profile_make(&p, &shot), 0);
        cr_expect_leq(site_in(&p, A)->spread.deviation, 11);
        profile_free(&p);
    }
    node_of(&shot, A)->squares[0] = 1000;
    node_of(&shot, A)->squares[1] = node_of(&shot, A)->unended = 0;
    struct profile p = profile_of_shot(&shot);
    cr_expect_eq(site_in(&p, A)->spread.deviation, 10);
    profile_free(&p);
}

Test(profile, the_same_snapshot_gives_the_same_profile)
{
    struct profile first, second;
    with_two_nodes();
    lane_begins("another");
    call(0, 10, C);
    struct snapshot shot = shot_now();
    cr_assert_eq(profile_make(&first, &shot), 0);
    cr_assert_eq(profile_make(&second, &shot), 0);
    cr_assert_eq(first.nodes, second.nodes);
    cr_expect_arr_eq(&first.node[1], &second.node[1], first.nodes * sizeof *first.node);
    cr_assert_eq(first.pairs, second.pairs);
    cr_expect_arr_eq(first.pair, second.pair, first.pairs * sizeof *first.pair);
    cr_expect_eq(first.calls, second.calls);
    profile_free(&first);
    profile_free(&second);
    snapshot_free(&shot);
}

/* ---- walking ---- */

/*  1        5
 *  +- 2     +- 6 - 7 - 8
 *  |  +- 3
 *  +- 4                      */
static struct profile_node walked_nodes[] = {
    [1] = {.first_child = 2, .next_sibling = 5}, [2] = {.parent = 1, .first_child = 3, .next_sibling = 4},
    [3] = {.parent = 2},                         [4] = {.parent = 1},
    [5] = {.first_child = 6},                    [6] = {.parent = 5, .first_child = 7},
    [7] = {.parent = 6, .first_child = 8},       [8] = {.parent = 7},
};
static const struct profile walked = {.node = walked_nodes, .nodes = 8};

Test(profile, a_tree_is_walked_parents_first)
{
    static const unsigned depths[] = {0, 1, 2, 1, 0, 1, 2, 3};
    unsigned depth = 0, seen = 0;
    for (uint32_t i = 1; i; i = profile_next(&walked, i, &depth), seen++) {
        cr_assert_eq(i, seen + 1);
        cr_expect_eq(depth, depths[seen]);
    }
    cr_expect_eq(seen, 8);
}

Test(profile, the_first_gap_is_told)
{
    struct profile p = {.complete = true, .lost = 3, .unpathed = 2};
    cr_expect_eq(profile_gap(&p), PROFILE_WHOLE);
    p.lost_waits = 1;
    cr_expect_eq(profile_gap(&p), PROFILE_LACKS_WAITS);
    p.complete = false;
    cr_expect_eq(profile_gap(&p), PROFILE_LACKS_DATA);
    p.lost_interpreters = 1;
    cr_expect_eq(profile_gap(&p), PROFILE_LACKS_INTERPRETERS);
    p.lost_sites = 1;
    cr_expect_eq(profile_gap(&p), PROFILE_LACKS_SITES);
    p.other_clock = 1;
    cr_expect_eq(profile_gap(&p), PROFILE_LACKS_OTHER_CLOCK);
    p.lost_processes = 1;
    cr_expect_eq(profile_gap(&p), PROFILE_LACKS_PROCESSES);
}

/* ---- what a reader folds ---- */

/* Whether the writer has folded it or the reader does is no matter: the same calls have a path. */
static void expect_paths(uint32_t nodes, uint64_t unpathed)
{
    struct lanes_options o = small_lanes();
    o.limits.nodes = nodes;
    segment_end(&s);
    cr_assert_eq(segment_begin(&s, CAPACITY, &o), 0);
    intern_numbered(&s, SITES);
    lane_begins("main");
    for (uint32_t site = A; site <= E; site++)
        call(10 * site, 10 * site + 5, site);
    ends_at(100);
    for (int folded = 0; folded < 2; folded++) {
        struct profile p = profile_now();
        cr_expect_eq(p.unpathed, unpathed, "%u nodes, folded %d: %llu", nodes, folded, (unsigned long long)p.unpathed);
        cr_expect_eq(p.calls, 5);
        profile_free(&p);
        writer_flush(w);
    }
}

Test(profile, paths_are_given_up_by_a_reader_where_the_writer_does) { expect_paths(3, 3); } /* the root is one */
Test(profile, a_larger_limit_is_the_readers_too) { expect_paths(1u << 20, 0); }
