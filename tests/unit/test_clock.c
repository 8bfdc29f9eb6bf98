#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* ---- the source ---- */

Test(clock, can_be_forced_to_monotonic)
{
    setenv("TSCAP_CLOCK", "monotonic", 1);
    cr_expect_eq(clock_choose(), CLOCK_SOURCE_MONOTONIC);
    cr_expect_eq(clock_source_now, CLOCK_SOURCE_MONOTONIC);
    for (int i = 0; i < 1000; i++) {
        uint64_t before = clock_ns(CLOCK_MONOTONIC), ticks = clock_ticks(), after = clock_ns(CLOCK_MONOTONIC);
        cr_assert(before <= ticks && ticks <= after, "its ticks are nanoseconds");
    }
}

Test(clock, other_words_force_nothing)
{
    unsetenv("TSCAP_CLOCK");
    enum clock_source best = clock_choose();
    setenv("TSCAP_CLOCK", "Monotonic", 1);
    cr_expect_eq(clock_choose(), best);
    setenv("TSCAP_CLOCK", "", 1);
    cr_expect_eq(clock_choose(), best);
}

#if defined(__x86_64__)
Test(clock, the_counter_is_used_only_where_the_kernel_runs_on_it)
{
    char kernel[32] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
    if (!f || !fgets(kernel, sizeof kernel, f))
        kernel[0] = '\0';
    if (f)
        fclose(f);
    unsetenv("TSCAP_CLOCK");
    enum clock_source source = clock_choose();
    cr_expect(source == CLOCK_SOURCE_MONOTONIC || strcmp(kernel, "tsc\n") == 0);
    cr_expect_neq(source, CLOCK_SOURCE_CNTVCT);
}
#endif

Test(clock, names)
{
    cr_expect_str_eq(clock_source_name(CLOCK_SOURCE_MONOTONIC), "monotonic");
    cr_expect_str_eq(clock_source_name(CLOCK_SOURCE_TSC), "tsc");
    cr_expect_str_eq(clock_source_name(CLOCK_SOURCE_CNTVCT), "cntvct");
    cr_expect_str_eq(clock_source_name(0), "unknown");
    cr_expect_str_eq(clock_source_name(CLOCK_SOURCE_CNTVCT + 1), "unknown");
    cr_expect_str_eq(clock_source_name(UINT32_MAX), "unknown");
}

/* ---- ticks on the scale of CLOCK_MONOTONIC ---- */

enum { READINGS = 2000, STEERED_NS = 1000 /* the kernel may steer its clock a little while we look */ };

struct reading {
    uint64_t before, ticks, after;
};

static void take_readings(struct reading *r)
{
    for (int i = 0; i < READINGS; i++)
        r[i] = (struct reading){clock_ns(CLOCK_MONOTONIC), clock_ticks(), clock_ns(CLOCK_MONOTONIC)};
}

/* The anchors say themselves how exact they are. */
static uint64_t uncertainty(const struct clock_scale *scale, const struct clock_anchor *a, const struct clock_anchor *b)
{
    return clock_scale_duration(scale, a->width + b->width) + STEERED_NS;
}

static void check_readings(const struct clock_scale *scale, const struct reading *r, uint64_t tolerance)
{
    for (int i = 0; i < READINGS; i++) {
        uint64_t instant = clock_scale_instant(scale, r[i].ticks);
        cr_assert(instant + tolerance >= r[i].before && instant <= r[i].after + tolerance, "%llu not in %llu .. %llu, +- %llu",
                  (unsigned long long)instant, (unsigned long long)r[i].before, (unsigned long long)r[i].after,
                  (unsigned long long)tolerance);
    }
}

static void wait_ns(uint64_t ns)
{
    for (uint64_t begin = clock_ns(CLOCK_MONOTONIC); clock_ns(CLOCK_MONOTONIC) - begin < ns;)
        ;
}

static void check_instants(enum clock_source source)
{
    static struct reading early[READINGS], middle[READINGS], late[READINGS];
    take_readings(early);
    struct clock_anchor first = clock_anchor_take(source);
    wait_ns(10000000);
    take_readings(middle);
    wait_ns(10000000);
    struct clock_anchor later = clock_anchor_take(source);
    take_readings(late);
    struct clock_scale scale = clock_scale_between(source, &first, &later);
    uint64_t tolerance = uncertainty(&scale, &first, &later);
    check_readings(&scale, early, tolerance);
    check_readings(&scale, middle, tolerance);
    check_readings(&scale, late, tolerance);
}

Test(clock, instants_lie_between_the_readings_around_them)
{
    unsetenv("TSCAP_CLOCK");
    check_instants(clock_choose());
}

Test(clock, instants_of_the_forced_clock_do_too)
{
    setenv("TSCAP_CLOCK", "monotonic", 1);
    check_instants(clock_choose());
}

Test(clock, the_second_anchor_is_far_enough)
{
    static struct reading r[READINGS];
    unsetenv("TSCAP_CLOCK");
    enum clock_source source = clock_choose();
    struct clock_anchor first = clock_anchor_take(source);
    take_readings(r);
    struct clock_scale scale = clock_scale_now(source, &first);
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (source != CLOCK_SOURCE_MONOTONIC)
        cr_expect_geq(now - first.monotonic, 20000000);
    cr_expect_eq(scale.ticks, first.ticks);
    cr_expect_eq(scale.monotonic, first.monotonic);
    check_readings(&scale, r, uncertainty(&scale, &first, &first));
}

struct clocks {
    uint64_t monotonic, realtime, boottime;
};

static struct clocks read_clocks(void)
{
    return (struct clocks){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_BOOTTIME)};
}

static void check_between(const char *what, uint64_t before, uint64_t value, uint64_t after)
{
    cr_expect(before <= value + STEERED_NS && value <= after + STEERED_NS, "%s: %llu not in %llu .. %llu", what,
              (unsigned long long)value, (unsigned long long)before, (unsigned long long)after);
}

static void check_anchor(enum clock_source source)
{
    struct clocks before = read_clocks();
    struct clock_anchor a = clock_anchor_take(source);
    struct clocks after = read_clocks();
    check_between("monotonic", before.monotonic, a.monotonic, after.monotonic);
    check_between("realtime", before.realtime, a.realtime, after.realtime);
    check_between("boottime", before.boottime, a.boottime, after.boottime);
    if (source == CLOCK_SOURCE_MONOTONIC)
        cr_expect_eq(a.ticks, a.monotonic);
}

Test(clock, an_anchor_is_one_instant_on_all_clocks)
{
    unsetenv("TSCAP_CLOCK");
    check_anchor(clock_choose());
    check_anchor(CLOCK_SOURCE_MONOTONIC);
}

/* ---- arithmetic ---- */

static struct clock_scale scale_of(double ns_per_tick)
{
    return (struct clock_scale){.ticks = 1000000, .monotonic = 5000000, .ns_per_tick = ns_per_tick};
}

static void check_round_trip(const struct clock_scale *s, uint64_t ns)
{
    uint64_t back = clock_scale_duration(s, clock_scale_ticks(s, ns)), error = back > ns ? back - ns : ns - back;
    double bound = s->ns_per_tick / 2 + 1; /* half a tick, and rounding */
    cr_expect((double)error <= bound, "%llu ns came back as %llu at %g ns a tick", (unsigned long long)ns,
              (unsigned long long)back, s->ns_per_tick);
}

Test(clock, durations_survive_the_way_to_ticks_and_back)
{
    static const double rates[] = {0.2, 1 / 2.8, 0.5, 1.0, 10.0, 1000 / 24.0};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct clock_scale s = scale_of(rates[i]);
        for (unsigned k = 0; k < 50; k++) {
            check_round_trip(&s, (1ull << k) - 1);
            check_round_trip(&s, (1ull << k) + 1);
        }
    }
}

Test(clock, durations_are_rounded_to_nearest)
{
    static const uint64_t expected[] = {0, 0, 1, 1, 1, 1, 2, 2, 2};
    struct clock_scale s = scale_of(0.25);
    for (uint64_t ticks = 0; ticks < sizeof expected / sizeof *expected; ticks++)
        cr_expect_eq(clock_scale_duration(&s, ticks), expected[ticks], "%llu", (unsigned long long)ticks);
    s = scale_of(4);
    cr_expect_eq(clock_scale_ticks(&s, 5), 1);
    cr_expect_eq(clock_scale_ticks(&s, 6), 2);
}

Test(clock, instants_before_and_after_the_anchor)
{
    struct clock_scale s = scale_of(2);
    cr_expect_eq(clock_scale_instant(&s, 1000000), 5000000);
    cr_expect_eq(clock_scale_instant(&s, 1000001), 5000002);
    cr_expect_eq(clock_scale_instant(&s, 999999), 4999998);
    cr_expect_eq(clock_scale_instant(&s, 0), 3000000);
    s.ns_per_tick = 10;
    cr_expect_eq(clock_scale_instant(&s, 0), 0, "before the clock began");
}

Test(clock, what_does_not_fit_is_as_much_as_there_is)
{
    struct clock_scale fast = scale_of(1000), slow = scale_of(0.001);
    cr_expect_eq(clock_scale_duration(&fast, UINT64_MAX), UINT64_MAX);
    cr_expect_eq(clock_scale_ticks(&slow, UINT64_MAX), UINT64_MAX);
}

static double rate_between(enum clock_source source, uint64_t ticks, uint64_t ns)
{
    struct clock_anchor first = {.ticks = 100, .monotonic = 200}, later = {.ticks = 100 + ticks, .monotonic = 200 + ns};
    return clock_scale_between(source, &first, &later).ns_per_tick;
}

Test(clock, the_rate_is_that_between_the_anchors)
{
    cr_expect_eq(rate_between(CLOCK_SOURCE_TSC, 4000, 1000), 0.25);
    cr_expect_eq(rate_between(CLOCK_SOURCE_CNTVCT, 24, 1000), 1000 / 24.0);
    cr_expect_eq(rate_between(CLOCK_SOURCE_MONOTONIC, 4000, 1000), 1.0, "nanoseconds whatever the anchors say");
    cr_expect_eq(rate_between(CLOCK_SOURCE_TSC, 0, 1000), 1.0, "no time between them");
    cr_expect_eq(rate_between(CLOCK_SOURCE_TSC, 4000, 0), 1.0, "no time between them");
}
