/* The clock: ticks that cost one instruction to read, and their place on CLOCK_MONOTONIC, which is the scale of Python's
 * time.perf_counter_ns() on Linux (Python/pytime.c, PEP 418).
 *
 * The time-stamp counter is used where CPUID says it is invariant (Intel SDM vol. 3, "Invariant TSC") *and* the kernel
 * itself runs on it (/sys/devices/system/clocksource/clocksource0/current_clocksource says `tsc`: its verdict on the
 * synchrony of all cores). On aarch64 the generic timer, which is both by architecture. Else clock_gettime. */
#ifndef TSCAP_CLOCK_H
#define TSCAP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum clock_source { CLOCK_SOURCE_MONOTONIC = 1, CLOCK_SOURCE_TSC, CLOCK_SOURCE_CNTVCT };

/* One reading of all clocks at the same instant. Times in nanoseconds. */
struct clock_anchor {
    uint64_t ticks;
    uint64_t monotonic;
    uint64_t realtime;
    uint64_t boottime;
    uint64_t width; /* ticks between the reads around it: the anchor's uncertainty */
};

/* Ticks to nanoseconds by two anchors. */
struct clock_scale {
    uint64_t ticks;     /* of the first anchor */
    uint64_t monotonic; /* of the first anchor */
    double ns_per_tick;
};

/* The source of this process; chosen once, before the first clock_ticks(). TSCAP_CLOCK=monotonic forces the fallback. */
enum clock_source clock_choose(void);
const char *clock_source_name(uint32_t source); /* "tsc", "cntvct", "monotonic", or "unknown" */
extern enum clock_source clock_source_now __attribute__((visibility("hidden"))); /* no detour through the GOT */

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The counter itself; only where clock_source_now says so. Not serialising: an interval may be off by the few
 * nanoseconds the processor reorders, far below what one recorded call takes. */
static inline uint64_t clock_counter(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#else
    return clock_ns(CLOCK_MONOTONIC);
#endif
}

static inline uint64_t clock_ticks(void)
{
    return __builtin_expect(clock_source_now != CLOCK_SOURCE_MONOTONIC, 1) ? clock_counter() : clock_ns(CLOCK_MONOTONIC);
}

/* The narrowest of 32 bracketed readings. */
struct clock_anchor clock_anchor_take(enum clock_source source);

/* Scale by two anchors; the farther apart, the better. Ticks of the monotonic source are nanoseconds. */
struct clock_scale clock_scale_between(enum clock_source source, const struct clock_anchor *first, const struct clock_anchor *later);
/* The same with a second anchor taken now, at least 20 ms after the first. */
struct clock_scale clock_scale_now(enum clock_source source, const struct clock_anchor *first);

uint64_t clock_scale_duration(const struct clock_scale *scale, uint64_t ticks); /* ns, rounded to nearest */
uint64_t clock_scale_instant(const struct clock_scale *scale, uint64_t ticks);  /* CLOCK_MONOTONIC ns */
uint64_t clock_scale_ticks(const struct clock_scale *scale, uint64_t ns);       /* duration in ticks */

#endif
