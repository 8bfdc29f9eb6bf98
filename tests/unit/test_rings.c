#include <criterion/criterion.h>

#include "rings.h"

#include "../support/segments.h"

enum { CAPACITY = 32 << 20, FIRST = 8192, OF_EACH = CAPACITY / 8 / FIRST / 16 };

static struct test_segment s;
static struct rings r;

static void begin(void)
{
    struct lanes_options o = small_lanes();
    cr_assert_eq(segment_begin(&s, CAPACITY, &o), 0);
    rings_init(&r, &s.segment, FIRST);
}

static void end(void)
{
    rings_free(&r);
    segment_end(&s);
}
TestSuite(rings, .init = begin, .fini = end);

Test(rings, the_more_there_are_the_smaller_are_new_ones)
{
    for (uint32_t slots = FIRST; slots > SEGMENT_MIN_RING_SLOTS; slots /= 2)
        for (int i = 0; i < OF_EACH; i++) {
            struct ring ring = rings_take(&r);
            cr_assert(ring.page);
            cr_assert_eq(ring.slots, slots);
        }
    for (int i = 0; i < 4 * OF_EACH; i++)
        cr_assert_eq(rings_take(&r).slots, SEGMENT_MIN_RING_SLOTS);
}

Test(rings, no_two_share_a_page)
{
    enum { RINGS = 200 };
    static uint8_t taken[CAPACITY / SEGMENT_PAGE];
    for (int i = 0; i < RINGS; i++) {
        struct ring ring = rings_take(&r);
        for (uint32_t page = ring.page; page < ring.page + ring.slots * sizeof(struct slot) / SEGMENT_PAGE; page++) {
            cr_assert_lt(page, CAPACITY / SEGMENT_PAGE);
            cr_assert_eq(taken[page]++, 0);
        }
    }
}

Test(rings, those_that_were_given_back_come_first_and_the_largest_of_them)
{
    struct ring ring[3 * OF_EACH];
    for (int i = 0; i < 3 * OF_EACH; i++)
        ring[i] = rings_take(&r);
    struct ring small = ring[3 * OF_EACH - 1], large = ring[0];
    cr_assert_lt(small.slots, large.slots);
    rings_give(&r, large);
    rings_give(&r, small);
    struct ring first = rings_take(&r), second = rings_take(&r);
    cr_assert_eq(first.page, large.page);
    cr_assert_eq(first.slots, large.slots);
    cr_assert_eq(second.page, small.page);
    cr_assert_eq(second.slots, small.slots);
}

Test(rings, threads_that_come_and_go_need_no_more_than_were_there_at_once)
{
    for (int round = 0; round < 10; round++) {
        struct ring ring[2 * OF_EACH];
        for (int i = 0; i < 2 * OF_EACH; i++)
            cr_assert((ring[i] = rings_take(&r)).page);
        static uint32_t pages;
        pages = pages ? pages : word_get(&s.segment.header->pages_used);
        cr_assert_eq(word_get(&s.segment.header->pages_used), pages);
        for (int i = 0; i < 2 * OF_EACH; i++)
            rings_give(&r, ring[i]);
    }
}

Test(rings, where_there_is_no_room_a_smaller_one_serves_and_then_none)
{
    const uint32_t smallest = SEGMENT_MIN_RING_SLOTS * sizeof(struct slot) / SEGMENT_PAGE;
    uint32_t left = CAPACITY / SEGMENT_PAGE - word_get(&s.segment.header->pages_used);
    cr_assert(segment_pages(&s.segment, left - smallest - 1));
    struct ring ring = rings_take(&r);
    cr_assert(ring.page);
    cr_assert_eq(ring.slots, SEGMENT_MIN_RING_SLOTS);
    cr_assert_eq(rings_take(&r).page, 0);
    rings_give(&r, ring);
    cr_assert_eq(rings_take(&r).page, ring.page);
}

Test(rings, what_was_given_back_is_not_used_again_once_the_system_has_it)
{
    struct ring ring = rings_take(&r);
    char *memory = segment_page_at(s.segment.base, ring.page);
    *memory = 1;
    rings_give(&r, ring);
    rings_trim(&r);
    cr_assert_eq(*memory, 0);
    cr_assert_neq(rings_take(&r).page, ring.page);
}
