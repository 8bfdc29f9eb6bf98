/* Each way to know that a thread left the CPU, against CLOCK_THREAD_CPUTIME_ID. A mode that this kernel does not offer is
 * skipped; that it then says so is tested by taking away what it needs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cputime.h"

#include "../support/random.h"
#include "support.h"

enum { MS = 1000000 };

/* ---- a thread at work, asked about as the recorder does: at each event ---- */

/* The same stretch by the kernel's clocks. */
struct reading {
    uint64_t wall, cpu;
};

struct work {
    struct cputime c;
    struct clock_anchor anchor;
    uint64_t last, off; /* ticks */
    struct reading outer, inner; /* when it began, read before and after */
    char told[160];
};

static struct reading read_clocks(void)
{
    return (struct reading){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_THREAD_CPUTIME_ID)};
}

/* May be a little below 0: the two clocks are not read at one instant, nor steered alike. */
static int64_t off_since(struct reading then, struct reading now)
{
    return (int64_t)(now.wall - then.wall) - (int64_t)(now.cpu - then.cpu);
}

static void work_begin(struct work *w, enum cputime_mode mode)
{
    *w = (struct work){.off = 0};
    clock_choose();
    w->anchor = clock_anchor_take(clock_source_now);
    w->outer = read_clocks();
    cputime_open(&w->c, mode);
    w->inner = read_clocks();
    w->last = clock_ticks();
}

static void event(struct work *w)
{
    uint64_t now = clock_ticks(), off = 0;
    if (cputime_left(&w->c, now - w->last))
        off = cputime_off(&w->c, w->last, &now);
    cr_assert_leq(off, now - w->last, "longer off the CPU than has passed");
    w->off += off;
    w->last = now;
}

static void spin(struct work *w, uint64_t ns)
{
    for (uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID); clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin < ns;)
        for (int i = 0; i < 100; i++)
            event(w);
}

static void nap(uint64_t ns)
{
    struct timespec t = {.tv_nsec = (long)ns};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static void sleep_for(struct work *w, uint64_t ns)
{
    event(w);
    nap(ns);
    event(w);
}

/* A thread may lose the CPU between any two readings: what was found must lie between the narrowest and the widest. */
static bool work_agrees(struct work *w)
{
    struct reading inner = read_clocks();
    event(w);
    struct reading outer = read_clocks();
    struct clock_scale scale = clock_scale_now(clock_source_now, &w->anchor);
    int64_t off = (int64_t)clock_scale_duration(&scale, w->off), bound = (int64_t)(outer.wall - w->outer.wall) / 100;
    int64_t least = off_since(w->inner, inner), most = off_since(w->outer, outer);
    snprintf(w->told, sizeof w->told, "%s: %lld ns off the CPU, expected %lld to %lld, +- %lld", cputime_mode_name(w->c.mode),
             (long long)off, (long long)least, (long long)most, (long long)bound);
    cputime_close(&w->c);
    return off + bound >= least && off <= most + bound;
}

static void work_end(struct work *w) { cr_expect(work_agrees(w), "%s", w->told); }

/* What a hypervisor takes is in no thread's CPU time, and no switch tells of it: a round it falls into is played again. */
static void check_agrees(enum cputime_mode mode, void (*doing)(struct work *))
{
    struct work w;
    for (int round = 0; round < 5; round++) {
        work_begin(&w, mode);
        doing(&w);
        if (work_agrees(&w))
            return;
    }
    cr_expect_fail("%s", w.told);
}

static void mix(struct work *w)
{
    struct random random = random_seeded(5);
    for (int i = 0; i < 30; i++) {
        spin(w, random_below(&random, 4 * MS));
        sleep_for(w, random_below(&random, 4 * MS));
    }
}

static void only_spin(struct work *w) { spin(w, 50 * MS); }

static void only_sleep(struct work *w)
{
    sleep_for(w, 50 * MS);
    struct clock_scale scale = clock_scale_now(clock_source_now, &w->anchor);
    cr_expect_geq(clock_scale_duration(&scale, w->off), 49 * MS, "a sleep is not CPU time");
}

static void begin_or_skip(struct work *w, enum cputime_mode mode)
{
    work_begin(w, mode);
    if (w->c.mode != mode)
        cr_skip("this kernel gives %s in place of %s", cputime_mode_name(w->c.mode), cputime_mode_name(mode));
}

static void check_mode(enum cputime_mode mode)
{
    struct work w;
    begin_or_skip(&w, mode);
    cputime_close(&w.c);
    check_agrees(mode, mix);
    check_agrees(mode, only_spin);
    check_agrees(mode, only_sleep);
}

Test(cputime, rseq_agrees_with_the_cpu_clock) { check_mode(CPUTIME_RSEQ); }
Test(cputime, rseq_with_gaps_agrees_with_the_cpu_clock) { check_mode(CPUTIME_RSEQ_GAP); }
Test(cputime, perf_agrees_with_the_cpu_clock) { check_mode(CPUTIME_PERF); }
Test(cputime, syscall_agrees_with_the_cpu_clock) { check_mode(CPUTIME_SYSCALL); }

Test(cputime, the_best_mode_agrees_with_the_cpu_clock)
{
    struct work w;
    work_begin(&w, CPUTIME_NONE_YET);
    cr_expect(w.c.mode != CPUTIME_NONE_YET && w.c.mode != CPUTIME_WALL, "%s", cputime_mode_name(w.c.mode));
    cputime_close(&w.c);
    check_agrees(CPUTIME_NONE_YET, mix);
}

Test(cputime, wall_takes_a_sleep_for_cpu_time)
{
    struct work w;
    work_begin(&w, CPUTIME_WALL);
    cr_expect_eq(w.c.mode, CPUTIME_WALL);
    sleep_for(&w, 50 * MS);
    cr_expect_not(cputime_left(&w.c, 50 * MS));
    cr_expect_eq(w.off, 0);
    cr_expect_eq(cputime_sync(&w.c, UINT64_MAX), 0);
    cputime_close(&w.c);
}

/* ---- when the CPU is lost between two clocks' readings ---- */

/* The next reading of this clock comes late. */
static clockid_t late_clock = -1;
static struct reading after_late; /* read when it comes */

/* In place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    if (id == late_clock) {
        late_clock = -1;
        nap(20 * MS);
        after_late = read_clocks();
    }
    return (int)syscall(SYS_clock_gettime, id, t);
}

static void check_base(clockid_t late)
{
    struct cputime c;
    clock_choose();
    struct clock_anchor anchor = clock_anchor_take(clock_source_now);
    late_clock = late;
    cputime_open(&c, CPUTIME_SYSCALL);
    nap(20 * MS);
    uint64_t off = cputime_sync(&c, UINT64_MAX);
    int64_t most = off_since(after_late, read_clocks());
    struct clock_scale scale = clock_scale_now(clock_source_now, &anchor);
    cputime_close(&c);
    cr_expect_leq((int64_t)clock_scale_duration(&scale, off), most + most / 100);
}

Test(cputime, what_passes_before_it_opens_is_not_off_the_cpu)
{
    check_base(CLOCK_MONOTONIC);
    check_base(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- when the clock is read ---- */

/* Right after a reading; a thread that loses the CPU just then is asked again. */
static bool stays_quiet(struct cputime *c, uint64_t since_last)
{
    for (int i = 0; i < 1000; i++) {
        cputime_sync(c, UINT64_MAX);
        if (!cputime_left(c, since_last))
            return true;
    }
    return false;
}

static void check_quiet(enum cputime_mode mode)
{
    struct work w;
    begin_or_skip(&w, mode);
    nap(MS);
    cr_expect(cputime_left(&w.c, w.c.gap));
    cr_expect(stays_quiet(&w.c, 0));
    cr_expect(stays_quiet(&w.c, w.c.gap - 1));
    cr_expect(cputime_left(&w.c, w.c.gap));
    cputime_close(&w.c);
}

Test(cputime, rseq_asks_the_kernel_only_when_it_must) { check_quiet(CPUTIME_RSEQ); }
Test(cputime, rseq_with_gaps_asks_the_kernel_only_when_it_must) { check_quiet(CPUTIME_RSEQ_GAP); }
Test(cputime, perf_asks_the_kernel_only_when_it_must) { check_quiet(CPUTIME_PERF); }

Test(cputime, syscall_asks_at_each_event)
{
    struct work w;
    work_begin(&w, CPUTIME_SYSCALL);
    cr_expect_eq(w.c.mode, CPUTIME_SYSCALL);
    cr_expect_not(stays_quiet(&w.c, 0));
    cputime_close(&w.c);
}

Test(cputime, a_gap_is_three_microseconds)
{
    struct work w;
    begin_or_skip(&w, CPUTIME_RSEQ_GAP);
    struct clock_scale scale = clock_scale_now(clock_source_now, &w.anchor);
    uint64_t ns = clock_scale_duration(&scale, w.c.gap);
    cr_expect(2700 <= ns && ns <= 3300, "%llu ns", (unsigned long long)ns);
    cputime_close(&w.c);
}

/* More than has passed since the event before: as when the thread was off the CPU between two clocks' readings. */
Test(cputime, more_than_has_passed_comes_next_time)
{
    struct work w;
    uint64_t now = 0;
    work_begin(&w, CPUTIME_SYSCALL);
    nap(20 * MS);
    uint64_t since = clock_ticks(), off = cputime_off(&w.c, since, &now);
    cr_expect_eq(off, now - since);
    w.off += off;
    work_end(&w);
}

Test(cputime, what_is_above_the_limit_comes_next_time)
{
    enum { LIMIT = 1000 };
    struct work w;
    work_begin(&w, CPUTIME_SYSCALL);
    nap(20 * MS);
    for (int i = 0; i < 3; i++) {
        uint64_t part = cputime_sync(&w.c, LIMIT);
        cr_expect_eq(part, LIMIT);
        w.off += part;
    }
    work_end(&w);
}

Test(cputime, after_the_end_nothing_is_noticed)
{
    struct work w;
    work_begin(&w, CPUTIME_NONE_YET);
    cputime_close(&w.c);
    cr_expect_not(cputime_left(&w.c, UINT64_MAX - 1));
    cputime_close(&w.c);
    cr_expect_not(cputime_left(&w.c, UINT64_MAX - 1));
}

/* ---- modes that do not prove themselves ---- */

/* Takes the area away from the calling thread, as on a C library without one. */
static bool forget_rseq(void)
{
#if defined(SYS_rseq) && defined(__GLIBC__)
    extern const ptrdiff_t __rseq_offset __attribute__((weak));
    enum { UNREGISTER = 1, AT_FEATURE_SIZE = 27 };
#if defined(__x86_64__)
    const uint32_t signature = 0x53053053;
#else
    const uint32_t signature = 0xd428bc00;
#endif
    if (!&__rseq_offset)
        return true;
    char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
    uint32_t now = (uint32_t)(getauxval(AT_FEATURE_SIZE) + 31) & ~31u;
    return syscall(SYS_rseq, area, 32u, UNREGISTER, signature) == 0 || syscall(SYS_rseq, area, now, UNREGISTER, signature) == 0;
#else
    return true;
#endif
}

static bool deny_perf(void) { return refuse_syscall(SYS_perf_event_open, 0, 0, EACCES); }
static bool deny_sleep(void) { return refuse_syscall(SYS_clock_nanosleep, 0, 0, EPERM); }

static enum cputime_mode mode_when_forced(enum cputime_mode mode)
{
    struct cputime c;
    clock_choose();
    cputime_open(&c, mode);
    enum cputime_mode got = c.mode;
    cputime_close(&c);
    return got;
}

static bool is_rseq(enum cputime_mode mode) { return mode == CPUTIME_RSEQ || mode == CPUTIME_RSEQ_GAP; }

Test(cputime, without_rseq_and_perf_each_mode_is_syscall)
{
    if (!forget_rseq() || !deny_perf())
        cr_skip("rseq or perf cannot be taken away here");
    for (enum cputime_mode mode = CPUTIME_NONE_YET; mode < CPUTIME_WALL; mode++)
        cr_expect_eq(mode_when_forced(mode), CPUTIME_SYSCALL, "%s", cputime_mode_name(mode));
    cr_expect_eq(mode_when_forced(CPUTIME_WALL), CPUTIME_WALL);
    struct work w;
    work_begin(&w, CPUTIME_RSEQ);
    sleep_for(&w, 20 * MS);
    work_end(&w);
}

Test(cputime, without_rseq_another_mode_is_used)
{
    if (!forget_rseq())
        cr_skip("rseq cannot be taken away here");
    cr_expect_not(is_rseq(mode_when_forced(CPUTIME_RSEQ)));
    cr_expect_not(is_rseq(mode_when_forced(CPUTIME_RSEQ_GAP)));
    cr_expect_not(is_rseq(mode_when_forced(CPUTIME_NONE_YET)));
}

Test(cputime, without_perf_another_mode_is_used)
{
    if (!deny_perf())
        cr_skip("system calls cannot be refused here");
    cr_expect_eq(mode_when_forced(CPUTIME_PERF), mode_when_forced(CPUTIME_NONE_YET));
}

/* Does the kernel clear the word in each of some sleeps that are long for sure? */
static bool rseq_notices(void)
{
    struct cputime c;
    bool noticed = true;
    cputime_open(&c, CPUTIME_RSEQ_GAP);
    for (int i = 0; i < 5; i++) {
        cputime_sync(&c, UINT64_MAX);
        nap(5 * MS);
        noticed = noticed && cputime_left(&c, 0);
    }
    noticed = noticed && c.mode == CPUTIME_RSEQ_GAP;
    cputime_close(&c);
    return noticed;
}

Test(cputime, a_mode_that_notices_sleeps_is_used)
{
    clock_choose();
    if (!rseq_notices())
        cr_skip("this kernel keeps the word through a sleep");
    cr_expect_eq(mode_when_forced(CPUTIME_RSEQ), CPUTIME_RSEQ);
    cr_expect_eq(mode_when_forced(CPUTIME_NONE_YET), CPUTIME_RSEQ);
}

/* A kernel that keeps the word through a sleep looks to us as one where the sleep does not happen. */
Test(cputime, a_mode_that_misses_a_sleep_is_not_used)
{
    if (!deny_sleep())
        cr_skip("system calls cannot be refused here");
    cr_expect_neq(mode_when_forced(CPUTIME_RSEQ), CPUTIME_RSEQ);
    cr_expect_neq(mode_when_forced(CPUTIME_PERF), CPUTIME_PERF);
    cr_expect_eq(mode_when_forced(CPUTIME_SYSCALL), CPUTIME_SYSCALL);
}

/* ---- names ---- */

Test(cputime, names_and_bounds)
{
    for (uint32_t mode = CPUTIME_RSEQ; mode < CPUTIME_MODES; mode++) {
        cr_expect_eq(cputime_mode_of(cputime_mode_name(mode)), mode);
        cr_expect_gt(strlen(cputime_mode_bound(mode)), 10);
    }
    cr_expect_eq(cputime_mode_of("unknown"), CPUTIME_NONE_YET);
    cr_expect_eq(cputime_mode_of(""), CPUTIME_NONE_YET);
    cr_expect_str_eq(cputime_mode_name(CPUTIME_RSEQ_GAP), "rseq+gap");
    cr_expect_str_eq(cputime_mode_name(CPUTIME_MODES), "unknown");
    cr_expect_str_eq(cputime_mode_bound(CPUTIME_MODES), "");
}
