#include "cputime.h"

#include <dlfcn.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* Without this many nanoseconds between events no voluntary switch fits in: entering and leaving the kernel and choosing
 * another thread takes longer. */
#define GAP_NS 3000

/* Sleeps that prove a mode. Some kernels need 10 us to put a thread to sleep: a shorter timer ends before that. */
#define PROOF_MIN_NS 10000
#define PROOF_MAX_NS 2000000

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GLIBC__)
#define HAVE_RSEQ 1

/* include/uapi/linux/rseq.h; stated here since older C libraries have no <sys/rseq.h>. */
struct rseq_area {
    uint32_t cpu_id_start;
    uint32_t cpu_id;
    _Atomic uint64_t cs;
    uint32_t flags;
};
struct rseq_descriptor {
    uint32_t version, flags;
    uint64_t start_ip, post_commit_offset, abort_ip;
};

/* The section is one instruction that nobody executes. The kernel looks at the four bytes before the abort address: they
 * must be the signature that the C library registered, or it kills the process. The address lies outside the section. */
#if defined(__x86_64__)
#define NOP_BYTES 1
__asm__(".pushsection .text\n"
        ".balign 16\n"
        "tscap_rseq_start:\n\tnop\n"
        "\tud2\n"
        "\t.byte 0x0f, 0xb9, 0x3d\n\t.long 0x53053053\n" /* ud1 with the signature as operand */
        "tscap_rseq_abort:\n\tud2\n"
        ".popsection\n");
#else
#define NOP_BYTES 4
__asm__(".pushsection .text\n"
        ".balign 16\n"
        "tscap_rseq_start:\n\tnop\n"
        "\tbrk #1\n"
        "\t.inst 0xd428bc00\n" /* brk #0x45e0 */
        "tscap_rseq_abort:\n\tbrk #1\n"
        ".popsection\n");
#endif
extern const char tscap_rseq_start[] __attribute__((visibility("hidden")));
extern const char tscap_rseq_abort[] __attribute__((visibility("hidden")));

static const struct rseq_descriptor descriptor __attribute__((aligned(32))) = {
    .start_ip = (uintptr_t)tscap_rseq_start,
    .post_commit_offset = NOP_BYTES,
    .abort_ip = (uintptr_t)tscap_rseq_abort,
};

/* The calling thread's area when the C library (2.35 and later) registered one, else NULL. */
static struct rseq_area *rseq_area(void)
{
    const ptrdiff_t *offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
    const unsigned *size = dlsym(RTLD_DEFAULT, "__rseq_size");
    if (!offset || !size || *size == 0)
        return NULL;
    struct rseq_area *area = (struct rseq_area *)((char *)__builtin_thread_pointer() + *offset);
    return (int32_t)area->cpu_id >= 0 ? area : NULL;
}
#endif

static const _Atomic uint64_t never = 0;

/* Puts the watched word back to `expect`; before the clock is read, so that a switch after it is seen next time. */
static void rearm(struct cputime *c)
{
    if (c->mode == CPUTIME_RSEQ || c->mode == CPUTIME_RSEQ_GAP)
        atomic_store_explicit((_Atomic uint64_t *)c->watch, c->expect, memory_order_relaxed);
    else if (c->mode == CPUTIME_PERF)
        c->expect = atomic_load_explicit(c->watch, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static bool watch_rseq(struct cputime *c)
{
#ifdef HAVE_RSEQ
    struct rseq_area *area = rseq_area();
    if (!area)
        return false;
    c->watch = &area->cs;
    c->expect = (uintptr_t)&descriptor;
    return true;
#else
    (void)c;
    return false;
#endif
}

static bool watch_perf(struct cputime *c)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = PERF_COUNT_SW_DUMMY;
    attr.exclude_kernel = 1;
    long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return false;
    void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, (int)fd, 0);
    close((int)fd); /* the mapping keeps the event */
    if (page == MAP_FAILED)
        return false;
    c->perf_page = page;
    /* `lock` and its neighbour `index`, which changes with it, as one word. */
    c->watch = (const _Atomic uint64_t *)((const char *)page + offsetof(struct perf_event_mmap_page, lock));
    return true;
}

static long voluntary_switches(void)
{
    struct rusage u;
    return getrusage(RUSAGE_THREAD, &u) == 0 ? u.ru_nvcsw : 0;
}

enum proof { UNDECIDED, NOTICES, MISSES };

/* Does the word change in a sleep of *ns? One that was over before another thread was chosen tells nothing: longer. */
static enum proof watch_sleep(struct cputime *c, long *ns)
{
    for (; *ns <= PROOF_MAX_NS; *ns *= 2) {
        struct timespec t = {.tv_nsec = *ns};
        long before = voluntary_switches();
        rearm(c);
        nanosleep(&t, NULL);
        bool noticed = atomic_load_explicit(c->watch, memory_order_relaxed) != c->expect;
        if (voluntary_switches() != before)
            return noticed ? NOTICES : MISSES;
    }
    return UNDECIDED;
}

/* Timer slack is taken out so that the proof takes microseconds. */
static enum proof watch_sleeps(struct cputime *c)
{
    int slack = prctl(PR_GET_TIMERSLACK);
    long ns = PROOF_MIN_NS;
    prctl(PR_SET_TIMERSLACK, 1ul);
    enum proof proof = watch_sleep(c, &ns);
    if (proof == NOTICES)
        proof = watch_sleep(c, &ns);
    if (slack > 0)
        prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
    return proof;
}

/* What the kernel does for one thread that is watched it does for all: each that sleeps would wait for its turn again, which takes
 * milliseconds where many run. */
static bool notices_sleep(struct cputime *c)
{
    static _Atomic enum proof known[CPUTIME_MODES];
    enum proof proof = atomic_load_explicit(&known[c->mode], memory_order_relaxed);
    if (proof == UNDECIDED) {
        proof = watch_sleeps(c);
        atomic_store_explicit(&known[c->mode], proof, memory_order_relaxed);
    }
    return proof == NOTICES;
}

/* Ticks that GAP_NS are: measured once. */
static uint64_t gap_ticks(void)
{
    static _Atomic uint64_t known;
    uint64_t ticks = atomic_load_explicit(&known, memory_order_relaxed);
    if (ticks)
        return ticks;
    struct clock_anchor a = clock_anchor_take(clock_source_now);
    struct timespec t = {.tv_nsec = 200000};
    nanosleep(&t, NULL);
    struct clock_anchor b = clock_anchor_take(clock_source_now);
    struct clock_scale scale = clock_scale_between(clock_source_now, &a, &b);
    ticks = clock_scale_ticks(&scale, GAP_NS);
    atomic_store_explicit(&known, ticks, memory_order_relaxed);
    return ticks;
}

static bool try_mode(struct cputime *c, enum cputime_mode mode)
{
    *c = (struct cputime){.watch = &never, .expect = 0, .gap = UINT64_MAX, .mode = mode};
    switch (mode) {
    case CPUTIME_RSEQ:
        return watch_rseq(c) && notices_sleep(c);
    case CPUTIME_RSEQ_GAP:
        c->gap = gap_ticks();
        return watch_rseq(c);
    case CPUTIME_PERF:
        if (watch_perf(c) && notices_sleep(c))
            return true;
        cputime_close(c);
        return false;
    case CPUTIME_SYSCALL:
        c->expect = 1;
        return true;
    default:
        c->mode = CPUTIME_WALL;
        return true;
    }
}

/* What lies between the clocks' readings would be off the CPU for ever after, a part of it in each later reading: a thread
 * may lose the CPU just there, and some kernels choose the next thread on the way out of the CPU clock's own system call.
 * So the narrowest of some readings. */
static void take_base(struct cputime *c)
{
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t ticks = clock_ticks();
        uint64_t monotonic = clock_ns(CLOCK_MONOTONIC);
        uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        uint64_t width = clock_ticks() - ticks;
        if (width >= narrowest)
            continue;
        narrowest = width;
        c->base.ticks = ticks;
        c->base.monotonic = monotonic;
        c->base.cpu = cpu;
    }
    c->undisturbed = 4 * narrowest;
}

void cputime_open(struct cputime *c, enum cputime_mode forced)
{
    static const enum cputime_mode order[] = {CPUTIME_RSEQ, CPUTIME_RSEQ_GAP, CPUTIME_PERF, CPUTIME_SYSCALL};
    if (!forced || !try_mode(c, forced)) {
        size_t i = 0;
        while (!try_mode(c, order[i]))
            i++; /* the last always works */
    }
    rearm(c);
    take_base(c);
}

void cputime_close(struct cputime *c)
{
    if (c->perf_page)
        munmap(c->perf_page, (size_t)sysconf(_SC_PAGESIZE));
    c->perf_page = NULL;
    c->watch = &never;
    c->expect = 0;
    c->gap = UINT64_MAX;
}

uint64_t cputime_off_between(const struct cputime_reading *base, const struct cputime_reading *now)
{
    uint64_t ticks = now->ticks - base->ticks, monotonic = now->monotonic - base->monotonic, cpu = now->cpu - base->cpu;
    if (monotonic == 0 || cpu >= monotonic)
        return 0;
    if (ticks == monotonic)
        return monotonic - cpu; /* to the nanosecond where ticks are nanoseconds */
    return (uint64_t)((double)ticks * ((double)(monotonic - cpu) / (double)monotonic));
}

/* Reckoned from the beginning each time, so that the errors of single readings do not add up. The clocks are read in the
 * same order as at the beginning: what lies between them cancels out. */
uint64_t cputime_sync(struct cputime *c, uint64_t limit)
{
    if (c->mode == CPUTIME_WALL)
        return 0;
    struct cputime_reading now;
    rearm(c);
    now.ticks = clock_ticks();
    now.monotonic = clock_ns(CLOCK_MONOTONIC);
    now.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t off = cputime_off_between(&c->base, &now);
    if (off <= c->reported)
        return 0;
    uint64_t fresh = off - c->reported;
    if (fresh > limit)
        fresh = limit;
    c->reported += fresh;
    return fresh;
}

/* Reads until nothing came between the readings: what comes between the CPU clock's and the tick counter's would be off the
 * CPU by one of them only. Not for ever: a machine may be slower than it was. */
uint64_t cputime_off(struct cputime *c, uint64_t since, uint64_t *now)
{
    uint64_t off = 0, before;
    int tries = 4;
    do {
        before = clock_ticks();
        off += cputime_sync(c, UINT64_MAX);
        *now = clock_ticks();
    } while (*now - before > c->undisturbed && --tries);
    uint64_t most = *now - since;
    if (off <= most)
        return off;
    c->reported -= off - most;
    return most;
}

/* ---- other threads ---- */

#define NARROW_NS 50000
#define READINGS 4 /* at most; the narrowest counts, for who reads may lose the CPU in between, too */

static uint64_t ticks_of(enum clock_source source)
{
    return source == CLOCK_SOURCE_MONOTONIC ? clock_ns(CLOCK_MONOTONIC) : clock_counter();
}

bool cputime_read(struct cputime_reading *r, enum clock_source source, cputime_ask *ask, void *context)
{
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < READINGS && narrowest > NARROW_NS; i++) {
        struct cputime_reading now;
        uint64_t before = clock_ns(CLOCK_MONOTONIC);
        now.ticks = ticks_of(source);
        now.monotonic = clock_ns(CLOCK_MONOTONIC);
        if (!ask(context, &now.cpu))
            return false;
        uint64_t width = clock_ns(CLOCK_MONOTONIC) - before;
        if (width >= narrowest)
            continue;
        narrowest = width;
        *r = now;
    }
    return true;
}

/* The clock of a thread by its number, as pthread_getcpuclockid(3) makes it; but there the thread must still be. */
static bool ask_kernel(void *context, uint64_t *cpu)
{
    struct timespec t;
    clockid_t id = (clockid_t)(~(unsigned)*(const pid_t *)context << 3 | 6); /* 4: of a thread, 2: what it ran */
    if (clock_gettime(id, &t) != 0)
        return false;
    *cpu = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    return true;
}

bool cputime_read_thread(struct cputime_reading *r, pid_t tid) { return cputime_read(r, clock_source_now, ask_kernel, &tid); }

/* ---- words ---- */

static const struct {
    const char *name, *bound;
} modes[CPUTIME_MODES] = {
    [CPUTIME_NONE_YET] = {"unknown", "no thread has recorded yet"},
    [CPUTIME_RSEQ] = {"rseq", "exact to the CPU clock at each switch; time that a hypervisor or an interrupt took may count as CPU time"},
    [CPUTIME_PERF] = {"perf", "exact to the CPU clock at each switch; time that a hypervisor or an interrupt took may count as CPU time"},
    [CPUTIME_RSEQ_GAP] = {"rseq+gap", "exact to the CPU clock after 3 us without an event and at each preemption"},
    [CPUTIME_SYSCALL] = {"syscall", "the CPU clock is read at each event: exact, dear"},
    [CPUTIME_WALL] = {"wall", "no CPU time: elapsed time is shown in its place"},
};

const char *cputime_mode_name(uint32_t mode) { return mode < CPUTIME_MODES ? modes[mode].name : "unknown"; }
const char *cputime_mode_bound(uint32_t mode) { return mode < CPUTIME_MODES ? modes[mode].bound : ""; }

enum cputime_mode cputime_mode_of(const char *name)
{
    for (uint32_t i = 1; i < CPUTIME_MODES; i++)
        if (strcmp(name, modes[i].name) == 0)
            return (enum cputime_mode)i;
    return CPUTIME_NONE_YET;
}
