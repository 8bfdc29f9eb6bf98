#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "process.h"
#include "scale.h"

static struct segment_header header_now(void)
{
    struct segment_header h = {.clock_source = clock_choose()};
    struct clock_anchor anchor = clock_anchor_take(h.clock_source);
    h.anchor_ticks = anchor.ticks;
    h.anchor_monotonic = anchor.monotonic;
    process_boot_id(h.boot_id, sizeof h.boot_id);
    return h;
}

static void check_a_second(const struct clock_scale *scale, const struct clock_anchor *a, const struct clock_anchor *b)
{
    uint64_t wall = b->monotonic - a->monotonic, ns = clock_scale_duration(scale, b->ticks - a->ticks);
    cr_expect(ns > wall - wall / 1000 && ns < wall + wall / 1000, "%llu ns took %llu", (unsigned long long)wall, (unsigned long long)ns);
}

Test(scale, of_this_boot_and_of_another_have_the_same_rate)
{
    struct segment_header h = header_now();
    struct clock_anchor a = clock_anchor_take(h.clock_source);
    cr_expect(scale_same_boot(&h));
    struct clock_scale here = scale_of_segment(&h);
    memset(h.boot_id, '0', 36);
    cr_expect_not(scale_same_boot(&h));
    struct clock_scale there = scale_of_segment(&h);
    struct clock_anchor b = clock_anchor_take(h.clock_source);
    check_a_second(&here, &a, &b);
    check_a_second(&there, &a, &b);
}

Test(scale, an_instant_of_another_boot_lies_on_the_clock_of_then)
{
    struct segment_header h = header_now();
    memset(h.boot_id, '0', 36);
    h.anchor_ticks = 1000000; /* soon after that boot; today's clock is far ahead or behind */
    h.anchor_monotonic = 5000000;
    struct clock_scale scale = scale_of_segment(&h);
    cr_expect_eq(clock_scale_instant(&scale, 1000000), 5000000);
}
