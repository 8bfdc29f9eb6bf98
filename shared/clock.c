#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saturate.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum clock_source clock_source_now = CLOCK_SOURCE_MONOTONIC;

#if defined(__x86_64__)
static bool kernel_runs_on_tsc(void)
{
    char name[32] = "";
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!f)
        return false;
    if (!fgets(name, sizeof name, f))
        name[0] = '\0';
    fclose(f);
    return strcmp(name, "tsc\n") == 0;
}

static bool tsc_is_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8);
}
#endif

enum clock_source clock_choose(void)
{
    const char *forced = getenv("TSCAP_CLOCK");
    clock_source_now = CLOCK_SOURCE_MONOTONIC;
    if (forced && strcmp(forced, "monotonic") == 0)
        return clock_source_now;
#if defined(__x86_64__)
    if (tsc_is_invariant() && kernel_runs_on_tsc())
        clock_source_now = CLOCK_SOURCE_TSC;
#elif defined(__aarch64__)
    clock_source_now = CLOCK_SOURCE_CNTVCT;
#endif
    return clock_source_now;
}

const char *clock_source_name(uint32_t source)
{
    static const char *const names[] = {
        [CLOCK_SOURCE_MONOTONIC] = "monotonic", [CLOCK_SOURCE_TSC] = "tsc", [CLOCK_SOURCE_CNTVCT] = "cntvct"};
    return source && source < sizeof names / sizeof *names ? names[source] : "unknown";
}

static uint64_t ticks_of(enum clock_source source)
{
    return source == CLOCK_SOURCE_MONOTONIC ? clock_ns(CLOCK_MONOTONIC) : clock_counter();
}

struct clock_anchor clock_anchor_take(enum clock_source source)
{
    struct clock_anchor best = {.width = UINT64_MAX};
    for (int i = 0; i < 32; i++) {
        uint64_t before = ticks_of(source);
        uint64_t monotonic = clock_ns(CLOCK_MONOTONIC);
        uint64_t after = ticks_of(source);
        if (after - before < best.width) {
            best.width = after - before;
            best.ticks = before + (after - before) / 2;
            best.monotonic = monotonic;
        }
    }
    if (source == CLOCK_SOURCE_MONOTONIC)
        best.ticks = best.monotonic;
    /* The slow clocks need no more than a microsecond: they name a day and reveal a suspend. */
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    best.realtime = clock_ns(CLOCK_REALTIME) - (now - best.monotonic);
    best.boottime = clock_ns(CLOCK_BOOTTIME) - (now - best.monotonic);
    return best;
}

struct clock_scale clock_scale_between(enum clock_source source, const struct clock_anchor *first, const struct clock_anchor *later)
{
    struct clock_scale scale = {.ticks = first->ticks, .monotonic = first->monotonic, .ns_per_tick = 1.0};
    if (source != CLOCK_SOURCE_MONOTONIC && later->ticks > first->ticks && later->monotonic > first->monotonic)
        scale.ns_per_tick = (double)(later->monotonic - first->monotonic) / (double)(later->ticks - first->ticks);
    return scale;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

struct clock_scale clock_scale_now(enum clock_source source, const struct clock_anchor *first)
{
    enum { APART = 20000000 }; /* 40 ns of anchor width over 20 ms: 2 ppm at worst */
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (source != CLOCK_SOURCE_MONOTONIC && now >= first->monotonic && now - first->monotonic < APART)
        sleep_ns(APART - (now - first->monotonic));
    struct clock_anchor later = clock_anchor_take(source);
    return clock_scale_between(source, first, &later);
}

uint64_t clock_scale_duration(const struct clock_scale *scale, uint64_t ticks)
{
    return saturated((double)ticks * scale->ns_per_tick);
}

uint64_t clock_scale_instant(const struct clock_scale *scale, uint64_t ticks)
{
    if (ticks >= scale->ticks)
        return scale->monotonic + clock_scale_duration(scale, ticks - scale->ticks);
    uint64_t before = clock_scale_duration(scale, scale->ticks - ticks);
    return before < scale->monotonic ? scale->monotonic - before : 0;
}

uint64_t clock_scale_ticks(const struct clock_scale *scale, uint64_t ns)
{
    return saturated((double)ns / scale->ns_per_tick);
}
