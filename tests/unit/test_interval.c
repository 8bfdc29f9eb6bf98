/* The profile of an interval: what calls between two looks come to, worked out by hand. */
#include <criterion/criterion.h>

#include "../support/segments.h"
#include "interval.h"
#include "support.h"

enum { CAPACITY = 8 << 20, SITES = 6 };
enum { A = 1, B, C, D };

static struct test_segment s;
static struct writer *w;
static uint64_t zero;

static void begin(void)
{
    struct lanes_options o = small_lanes();
    own_directory_make();
    o.keep_exited = 0; /* threads that end are merged at once */
    cr_assert_eq(segment_begin(&s, CAPACITY, &o), 0);
    intern_numbered(&s, SITES);
    w = open_lane(&s, "main");
    cr_assert(w);
    zero = w->lane->began;
}
static void end(void)
{
    segment_end(&s);
    own_directory_remove();
}
TestSuite(interval, .init = begin, .fini = end);

/* ---- calls ---- */

static void record(struct writer *to, uint64_t when, uint64_t what)
{
    to->last = zero + when;
    writer_store(to, zero + when, what);
}
static void enter(uint64_t when, uint32_t site) { record(w, when, record_pack(site, ++w->depth, RECORD_ENTER, 0)); }
static void leave(uint64_t when, uint32_t site) { record(w, when, record_pack(site, w->depth--, RECORD_EXIT, 0)); }

static void call(uint64_t from, uint64_t to, uint32_t site)
{
    enter(from, site);
    leave(to, site);
}

/* ---- looks ---- */

static void look_now(struct profile *p)
{
    struct view view;
    writer_flush(w);
    cr_assert_eq(open_as_reader(&view, &s.segment), 0);
    cr_assert_eq(profile_of(p, &view, 1000000000u), 0);
    view_close(&view);
}

static struct profile before, now, between;

static void subtract(void)
{
    look_now(&now);
    cr_assert_eq(interval_make(&between, &now, &before), 0);
}

static void forget(void)
{
    profile_free(&before);
    profile_free(&now);
    profile_free(&between);
}

/* ---- what there must be ---- */

static const struct profile_site *site(uint32_t id)
{
    const struct profile_site *found = profile_site(&between, id);
    cr_assert(found);
    return found;
}

static void expect(uint32_t id, uint64_t calls, uint64_t inclusive, uint64_t exclusive)
{
    const struct profile_times *t = &site(id)->t;
    cr_expect(t->calls == calls && t->inclusive == inclusive && t->exclusive == exclusive, "%u: %lu %lu %lu", id, (unsigned long)t->calls,
              (unsigned long)t->inclusive, (unsigned long)t->exclusive);
}

/* As "A(B(C)) D": who called whom. */
static const char *tree(const struct profile_thread *thread)
{
    static char text[256];
    size_t used = 0;
    unsigned depth = 0, open = 0;
    text[0] = '\0';
    for (uint32_t i = thread->first_root; i; i = profile_next(&between, i, &depth)) {
        for (; open > depth; open--)
            used += (size_t)snprintf(text + used, sizeof text - used, ")");
        const char *separator = used == 0 ? "" : depth > open ? "(" : " ";
        open = depth;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%c%lu", separator, "_ABCDE"[between.node[i].site],
                                 (unsigned long)between.node[i].t.calls);
    }
    for (; open; open--)
        used += (size_t)snprintf(text + used, sizeof text - used, ")");
    return text;
}

Test(interval, without_anything_before_it_is_all)
{
    look_now(&before);
    enter(10, A);
    call(20, 50, B);
    leave(100, A);
    subtract();
    expect(A, 1, 90, 60);
    expect(B, 1, 30, 30);
    cr_expect_str_eq(tree(&between.thread[0]), "A1(B1)");
    cr_expect_eq(between.calls, 2);
    cr_expect(site(B)->spread.min == 30 && site(B)->spread.max == 30 && site(B)->spread.p50 == 30 && site(B)->spread.ended == 1);
    forget();
}

Test(interval, only_what_came_since)
{
    enter(10, A);
    call(20, 50, B);
    leave(100, A);
    look_now(&before);
    enter(200, A);
    call(210, 215, B);
    call(220, 227, B);
    leave(300, A);
    call(400, 401, C);
    subtract();
    expect(A, 1, 100, 88);
    expect(B, 2, 12, 12);
    expect(C, 1, 1, 1);
    cr_expect_str_eq(tree(&between.thread[0]), "A1(B2) C1");
    cr_expect_eq(between.pairs, 3);
    cr_expect_eq(between.thread[0].roots, 101);
    cr_expect(site(B)->spread.ended == 2 && site(B)->spread.min == 5, "a new shortest one is exact");
    cr_expect(site(B)->spread.max >= 7 && site(B)->spread.max <= 8, "the longest is below the one before, so it is by its step");
    forget();
}

Test(interval, nothing_at_all)
{
    enter(10, A);
    call(20, 50, B);
    leave(100, A);
    look_now(&before);
    subtract();
    expect(A, 0, 0, 0);
    cr_expect_eq(between.calls + between.pairs + between.buckets, 0);
    cr_expect_eq(between.thread[0].first_root, 0);
    cr_expect_eq(between.thread[0].count, 0);
    cr_expect_eq(site(B)->spread.ended + site(B)->spread.max, 0);
    forget();
}

Test(interval, a_call_that_was_open_then_has_its_time_since)
{
    enter(10, A);
    call(20, 50, B);
    look_now(&before);
    leave(100, A);
    subtract();
    expect(A, 0, 50, 50);
    cr_expect_eq(site(A)->t.open, 0);
    cr_expect_eq(site(A)->spread.ended, 1);
    cr_expect_str_eq(tree(&between.thread[0]), "A0");
    forget();
}

Test(interval, paths_fall_by_their_time_in_it)
{
    enter(10, A);
    call(20, 120, B);
    call(130, 131, C);
    leave(200, A);
    look_now(&before);
    enter(300, A);
    call(310, 311, B);
    call(320, 380, C);
    leave(400, A);
    subtract();
    cr_expect_str_eq(tree(&between.thread[0]), "A1(C1 B1)");
    forget();
}

/* What the thread did before is in the merged ones then, and was not done in the interval. */
Test(interval, a_thread_that_ended_meanwhile)
{
    struct writer *main = w;
    w = open_lane(&s, "worker");
    cr_assert(w);
    call(10, 60, B);
    struct writer *worker = w;
    look_now(&before);
    call(70, 80, B);
    call(90, 91, C);
    lanes_close(s.lanes, worker);
    cr_assert(open_lane(&s, "next")); /* whose room is the one that has ended */
    w = main;
    subtract();
    expect(B, 1, 10, 10);
    expect(C, 1, 1, 1);
    uint32_t merged = 0;
    for (uint32_t i = 0; i < between.threads; i++)
        if (between.thread[i].merged) {
            cr_expect_str_eq(tree(&between.thread[i]), "B1 C1");
            merged++;
        }
    cr_expect_eq(merged, 1);
    forget();
}

Test(interval, counters_are_differences_and_states_are_not)
{
    look_now(&before);
    look_now(&now);
    before.lost = 3, now.lost = 5;
    before.records = 10, now.records = 30;
    before.lost_sites = now.lost_sites = 2;
    before.complete = false;
    cr_assert_eq(interval_make(&between, &now, &before), 0);
    cr_expect(between.lost == 2 && between.records == 20 && between.lost_sites == 2 && !between.complete);
    forget();
}
