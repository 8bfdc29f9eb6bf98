/* What a recorded call costs in C alone: two clock reads, two pushes, and the folding of two records, totals and
 * histogram included. Best of many rounds, in ns per call, next to what two clock reads cost in the same run. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "lanes.h"

#define CALLS 1000000u
#define ROUNDS 9

static uint64_t best_of(void (*body)(struct writer *, uint32_t), struct writer *w, uint32_t callees)
{
    uint64_t best = UINT64_MAX;
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t before = clock_ns(CLOCK_MONOTONIC);
        body(w, callees);
        uint64_t ns = clock_ns(CLOCK_MONOTONIC) - before;
        best = ns < best ? ns : best;
    }
    return best;
}

static void two_clocks(struct writer *w, uint32_t callees)
{
    (void)w, (void)callees;
    for (uint32_t i = 0; i < CALLS; i++) {
        __asm__ volatile("" ::"r"(clock_ticks()));
        __asm__ volatile("" ::"r"(clock_ticks()));
    }
}

static void flat_calls(struct writer *w, uint32_t callees)
{
    uint32_t site = 1;
    for (uint32_t i = 0; i < CALLS; i++) {
        writer_enter(w, site);
        writer_exit(w, site, 0);
        site = site < callees ? site + 1 : 1;
    }
}

static void nested_calls(struct writer *w, uint32_t callees)
{
    (void)callees;
    for (uint32_t i = 0; i < CALLS / 8; i++) {
        for (uint32_t d = 1; d <= 8; d++)
            writer_enter(w, d);
        for (uint32_t d = 8; d >= 1; d--)
            writer_exit(w, d, 0);
    }
}

static void report(const char *name, uint64_t ns, uint64_t clocks)
{
    printf("%-32s %6.1f ns a call, %4.2f x two clock reads\n", name, (double)ns / CALLS, (double)ns / (double)clocks);
}

int main(void)
{
    struct segment segment;
    clock_choose();
    struct segment_options options = {
        .capacity = SEGMENT_DEFAULT_CAPACITY, .ring_slots = SEGMENT_DEFAULT_RING_SLOTS, .python = "none", .version = "bench"};
    if (segment_create(&segment, &options) < 0) {
        fprintf(stderr, "bench_push: cannot make a segment; set TSCAP_DIR to a private directory\n");
        return 1;
    }
    struct lanes_options lane_options = {
        .ring_slots = options.ring_slots, .keep_exited = LANES_KEEP_EXITED, .limits = folder_default_limits};
    struct writer *w = lanes_open(lanes_new(&segment, &lane_options), "bench");
    if (!w) {
        segment_unlink(&segment);
        return 1;
    }
    printf("clock %s, CPU time by %s\n", clock_source_name(clock_source_now), cputime_mode_name(w->cpu.mode));
    uint64_t clocks = best_of(two_clocks, w, 0);
    report("two clock reads", clocks, clocks);
    static const uint32_t callees[] = {1, 10, 100, 1000, 10000};
    for (size_t i = 0; i < sizeof callees / sizeof *callees; i++) {
        char name[64];
        snprintf(name, sizeof name, "%u callees", callees[i]);
        report(name, best_of(flat_calls, w, callees[i]), clocks);
    }
    report("eight levels deep", best_of(nested_calls, w, 0), clocks);
    segment_unlink(&segment);
    return 0;
}
