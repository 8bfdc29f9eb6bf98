#include <criterion/criterion.h>
#include <pthread.h>

#include "../support/segments.h"
#include "chain.h"
#include "support.h"
#include "tracks.h"

static struct test_segment b;
static struct tracks *tracks;
static struct view v;
static struct snapshot s;

static void begin_with(uint64_t capacity)
{
    struct lanes_options o = small_lanes();
    own_directory_make();
    cr_assert_eq(segment_begin(&b, capacity, &o), 0);
    tracks = tracks_new(&b.segment, b.sites);
    cr_assert_not_null(tracks);
    cr_assert_eq(open_as_reader(&v, &b.segment), 0);
    intern_numbered(&b, 3);
}
static void begin(void) { begin_with(16 << 20); }
static void begin_little(void) { begin_with(1 << 20); }

static void end(void)
{
    snapshot_free(&s);
    view_close(&v);
    tracks_delete(tracks);
    segment_end(&b);
    own_directory_remove();
}
TestSuite(tracks, .init = begin, .fini = end);
TestSuite(tracks_without_room, .init = begin_little, .fini = end);

static uint32_t add_track(uint32_t profiler, const char *id)
{
    return tracks_add(tracks, &(struct track){.profiler = profiler, .flags = TRACK_ENABLED, .id = id});
}

static uint32_t add_place(uint32_t profiler, uint32_t track, uint32_t site)
{
    return tracks_add(tracks, &(struct track){.profiler = profiler, .track = track, .site = site, .id = "place"});
}

static void take(void)
{
    snapshot_free(&s);
    cr_assert_eq(look(&s, &v, PATIENT), 0);
}

static void check_text(uint32_t ref, const char *expected)
{
    char *text = snapshot_text(&s, ref);
    cr_expect_str_eq(text, expected);
    free(text);
}

Test(tracks, none)
{
    take();
    cr_expect_eq(s.tracks, 0);
}

Test(tracks, a_reader_sees_what_was_told)
{
    uint32_t track = add_track(7, "12"), place = add_place(7, track, 3);
    cr_assert(track == 1 && place == 2);
    take();
    cr_assert_eq(s.tracks, 2);
    const struct track_record *t = &s.track[1], *p = &s.track[2];
    cr_expect(t->profiler == 7 && t->track == 0 && t->site == 0 && t->flags == TRACK_ENABLED && t->name == 0);
    cr_expect(p->profiler == 7 && p->track == 1 && p->site == 3);
    check_text(t->id, "12");
    check_text(p->id, "place");
}

Test(tracks, what_is_told_later_takes_its_place)
{
    uint32_t track = add_track(7, "a");
    tracks_change(tracks, track, TRACK_WORD, "Requests");
    take();
    cr_expect_eq(s.track[track].flags, TRACK_WORD);
    check_text(s.track[track].name, "Requests");
    tracks_change(tracks, track, TRACK_ENABLED, NULL);
    tracks_change(tracks, 0, 0, "none");
    tracks_change(tracks, 99, 0, "none");
    take();
    cr_expect(s.tracks == 1 && s.track[track].flags == TRACK_ENABLED && s.track[track].name == 0);
}

/* More than a page of them. */
Test(tracks, rows_of_who_is_gone_serve_again)
{
    const uint32_t many = 3 * PAGE_ITEMS(struct track_record) + 5;
    for (uint32_t i = 1; i <= many; i++)
        cr_assert_eq(add_track(i % 2 ? 1 : 2, "x"), i);
    tracks_remove(tracks, 1);
    take();
    cr_assert_eq(s.tracks, many);
    for (uint32_t i = 1; i <= many; i++)
        cr_assert_eq(s.track[i].profiler, i % 2 ? 0 : 2, "row %u", i);
    for (uint32_t i = 1; i <= many; i += 2)
        cr_assert_eq(add_track(3, "y"), i);
    cr_expect_eq(add_track(3, "y"), many + 1);
    take();
    cr_expect_eq(s.track[1].profiler, 3);
    cr_expect_eq(s.track[many + 1].profiler, 3);
    check_text(s.track[3].id, "y");
}

Test(tracks, nobody_is_removed_for_nobody)
{
    add_track(1, "x");
    tracks_remove(tracks, 0);
    tracks_remove(tracks, 5);
    take();
    cr_expect_eq(s.track[1].profiler, 1);
}

Test(tracks_without_room, what_finds_none_is_none)
{
    uint32_t rows = 0;
    while (add_track(1, "x"))
        rows++;
    take();
    cr_expect_eq(s.tracks, rows);
    cr_expect_gt(b.segment.header->refused_growth, 0);
    tracks_remove(tracks, 1);
    cr_expect_eq(add_track(2, "x"), 1, "there is room again");
}

/* ---- while the writer is at work ---- */

static _Atomic bool over;

/* Each profiler's rows say its number in their site, too. */
static void *churn(void *unused)
{
    (void)unused;
    for (uint32_t profiler = 1; !over; profiler++) {
        uint32_t site = profiler % 3 + 1;
        for (uint32_t i = 0; i < 4; i++)
            tracks_add(tracks, &(struct track){.profiler = profiler, .track = profiler, .site = site, .flags = profiler, .id = "x"});
        tracks_remove(tracks, profiler);
    }
    return NULL;
}

Test(tracks, a_row_is_of_one_profiler)
{
    pthread_t thread;
    uint32_t seen = 0;
    cr_assert_eq(pthread_create(&thread, NULL, churn, NULL), 0);
    for (uint32_t looks = 0; looks < 500 || !seen; looks++) {
        take();
        for (uint32_t i = 1; i <= s.tracks; i++) {
            const struct track_record *r = &s.track[i];
            if (!r->profiler)
                continue;
            seen++;
            cr_assert(r->track == r->profiler && r->flags == r->profiler && r->site == r->profiler % 3 + 1);
        }
    }
    over = true;
    pthread_join(thread, NULL);
}

/* ---- what is no such table ---- */

static struct page_header *first_page(void) { return segment_page_at(b.segment.base, b.segment.header->track_first); }
static void check_refused(void) { cr_expect_eq(look(&s, &v, PATIENT), -EBADMSG); }

Test(tracks, a_count_beyond_the_file)
{
    add_track(1, "x");
    b.segment.header->track_count = UINT32_MAX;
    check_refused();
    b.segment.header->track_count = PAGE_ITEMS(struct track_record) + 1;
    check_refused();
}

Test(tracks, pages_in_a_circle)
{
    add_track(1, "x");
    first_page()->next = b.segment.header->track_first;
    b.segment.header->track_count = PAGE_ITEMS(struct track_record) + 1;
    check_refused();
}

Test(tracks, pages_of_another_kind)
{
    add_track(1, "x");
    first_page()->kind = PAGE_SITE;
    check_refused();
}

Test(tracks, texts_that_are_none)
{
    uint32_t row = add_track(1, "x");
    struct track_record *r = page_item(first_page(), 0, sizeof *r);
    r->id = UINT32_MAX;
    r->name = 1;
    take();
    check_text(s.track[row].id, "");
    check_text(s.track[row].name, "");
}
