/* CPU time of a thread without asking the kernel at each event.
 *
 * While a thread stays on a CPU, its CPU time advances as fast as the clock. So it is enough to know whether it left the
 * CPU since the last event; only then CLOCK_THREAD_CPUTIME_ID is read (a system call) and the time that passed without
 * the thread running becomes a RECORD_OFF_CPU. How it is known:
 *
 *   rseq      the thread's rseq area (rseq(2)) points to the descriptor of a critical section that never runs; the
 *             kernel clears the pointer when the thread is switched out
 *   rseq+gap  newer kernels clear it only on interrupts: the clock is read as well after 3 us without an event
 *   perf      the `lock` word of a PERF_COUNT_SW_DUMMY event's page (perf_event_open(2)) changes on each switch
 *   syscall   not known: the CPU clock is read at each event
 *   wall      no CPU time at all
 *
 * What a hypervisor steals, or an interrupt takes, moves the clock and not the CPU clock, and is no switch. rseq and perf learn of
 * it at the next switch, as time off the CPU that the stretch since the last event may have no room for: it waits, and until
 * then counts as CPU time.
 *
 * The first thread of a process that uses a mode proves it: it sleeps, and a mode that did not notice is not used. */
#ifndef TSCAP_CPUTIME_H
#define TSCAP_CPUTIME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock.h"

/* In order of weakness: the header of a segment names the weakest of its threads. */
enum cputime_mode { CPUTIME_NONE_YET = 0, CPUTIME_RSEQ, CPUTIME_PERF, CPUTIME_RSEQ_GAP, CPUTIME_SYSCALL, CPUTIME_WALL, CPUTIME_MODES };

/* The clocks at one instant. */
struct cputime_reading {
    uint64_t ticks;
    uint64_t monotonic, cpu; /* ns */
};

struct cputime {
    const _Atomic uint64_t *watch; /* != expect: the thread may have left the CPU */
    uint64_t expect;
    uint64_t gap; /* ticks since the last event after which it may have, too */
    enum cputime_mode mode;
    struct cputime_reading base;
    uint64_t reported; /* ticks off the CPU since base, handed out so far */
    uint64_t undisturbed; /* ticks that reading all clocks takes at most, unless the thread leaves the CPU meanwhile */
    void *perf_page;
};

/* For the calling thread. `forced`: the mode to use if it proves itself, CPUTIME_NONE_YET for the best. */
void cputime_open(struct cputime *c, enum cputime_mode forced);
void cputime_close(struct cputime *c);

/* Reads the CPU clock: ticks off the CPU since the last call, at most `limit` (the rest stays for the next call). */
uint64_t cputime_sync(struct cputime *c, uint64_t limit);

/* The same for an event that happens now: ticks off the CPU between `since`, an earlier event, and `now`, which is read
 * here. Whenever the thread is switched out, before or between readings, it is in this stretch or in a later one. */
uint64_t cputime_off(struct cputime *c, uint64_t since, uint64_t *now);

/* Of any thread: whoever asks knows how to read its CPU clock. False: it cannot be read. */
typedef bool cputime_ask(void *context, uint64_t *cpu);
bool cputime_read(struct cputime_reading *r, enum clock_source source, cputime_ask *ask, void *context);
bool cputime_read_thread(struct cputime_reading *r, pid_t tid); /* of this process */

/* Ticks off the CPU between two readings. */
uint64_t cputime_off_between(const struct cputime_reading *base, const struct cputime_reading *now);

static inline bool cputime_left(const struct cputime *c, uint64_t since_last)
{
    return atomic_load_explicit(c->watch, memory_order_relaxed) != c->expect || since_last >= c->gap;
}

const char *cputime_mode_name(uint32_t mode);           /* "rseq", ...; "unknown" */
enum cputime_mode cputime_mode_of(const char *name);    /* CPUTIME_NONE_YET: no such mode */
const char *cputime_mode_bound(uint32_t mode);          /* what its error can be, for people */

#endif
