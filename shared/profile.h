/* The profile: what a snapshot says, as trees, sites and pairs. No I/O, no globals, no clock: the same snapshot gives the
 * same profile, in the same order.
 *
 * Counting rules (DESIGN; as yappi defines them): a site's or pair's inclusive time is that of its outermost activations
 * only, its exclusive time that of all; primitive calls are those that found the site not open on that thread. All times
 * are ticks, exact integers: the exclusive times of all nodes of a thread sum to the inclusive times of its roots. */
#ifndef TSCAP_PROFILE_H
#define TSCAP_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "histogram.h"
#include "metric.h"
#include "snapshot.h"

struct profile_site {
    uint32_t id;
    char *name, *qualname, *module, *file; /* as utf8.h has names, not printable */
    uint32_t line, track, kind;
    struct profile_times t;
    struct profile_spread spread;
    uint64_t outermost;  /* ticks: sum of the durations of calls that ended and were no recursion; of a block, none in their own task */
    uint32_t processes; /* that called it, of those that the profile is of */
    uint32_t turn;      /* while it is made: of the source that was counted last */
};

struct profile_pair {
    uint32_t caller, callee; /* site ids; caller 0: none */
    struct profile_times t;
};

/* A power of two in a histogram of a function: how many of its calls that have ended took so long. */
struct profile_bucket {
    uint32_t site;
    uint32_t kind;     /* enum block_kind: of which time */
    uint32_t exponent; /* below HISTOGRAM_EXPONENTS */
    uint64_t count[HISTOGRAM_STEPS];
};

/* Their order. Below 0, 0 or above. */
int profile_bucket_compare(const struct profile_bucket *x, const struct profile_bucket *y);

struct profile_node {
    uint32_t site;  /* 0 with `other`: the paths that were given up */
    bool other;
    struct profile_times t; /* of this path: inclusive counts every activation on it */
    uint32_t parent, first_child, next_sibling; /* indices into profile.node; 0: none. Children by inclusive time, falling */
};

struct profile_thread {
    uint32_t process; /* number of the source it is of */
    uint64_t lane; /* the same number in a later look: the same thread of that process */
    uint32_t tid;
    char name[64];
    bool exited;   /* in the process' lifetime */
    bool merged;   /* many exited threads in one */
    bool complete; /* as its lane is */
    uint64_t count; /* threads with calls that this row is of: 0 or 1, merged: any number */
    uint32_t first_root; /* index into profile.node; 0: none recorded */
    uint64_t roots; /* ticks: sum of the roots' inclusive times */
};

struct profile {
    struct profile_site *site; /* those with calls and those without, by id */
    uint32_t sites;
    struct profile_pair *pair; /* by caller, callee */
    uint32_t pairs;
    struct profile_bucket *bucket; /* by site, kind, exponent */
    uint32_t buckets;
    struct profile_node *node; /* [1 .. nodes] */
    uint32_t nodes;
    struct profile_thread *thread;
    uint32_t threads;
    /* what is not in the numbers, or not exact */
    uint64_t lost;       /* calls not accounted for */
    uint64_t unplaced;   /* ticks of calls that the consumer does not see and whose callers nobody knows: the exclusive time of (other) */
    uint64_t unpathed;   /* calls whose path went to (other): exact per site and pair */
    uint64_t lost_waits; /* times a call had no room to wait: it counts, but is not open nor has a duration */
    uint64_t clamped, mismatched, silent_ends;
    uint64_t moving;     /* calls that changed threads while these were read: open and suspended may be wrong by as many */
    uint64_t untold;     /* calls that wait, or were closed: see profile_closes_untold() */
    uint64_t lost_sites, lost_lanes, paused, displaced, refused_growth;
    uint64_t lost_interpreters; /* those besides the main one, of which nothing is recorded */
    uint64_t lost_processes, other_clock; /* processes that are not in the sums; set by who knows of more than one */
    bool complete; /* of every source and each of its lanes: see profile_gap() */
    /* what recording cost the target */
    uint64_t records;    /* written */
    uint64_t own;        /* ticks folding took: measured, taken out of all times */
    uint64_t call_cost;  /* picoseconds a recorded call adds, measured once at start; 0: not measured */
    uint64_t calls;      /* of all sites */
};

int profile_make(struct profile *p, const struct snapshot *s); /* 0 or -ENOMEM */

/* What one consumer sees: the calls that began while it wanted records, since its zero, of functions that it selected. Time of
 * other calls is the exclusive time of the nearest caller that it sees; where their paths were given up, that of (other).
 * Whether a call is recursive, and who called it, is judged among what it sees; below (other), among all. -ENOENT. */
int profile_make_view(struct profile *p, const struct snapshot *s, uint32_t consumer);

/* Of several processes together, which use the same clock. */
struct profile_source {
    const struct snapshot *snapshot;
    const uint32_t *site; /* [snapshot->sites + 1]: what its sites are called in the profile, below 2^24; NULL: the same */
    uint32_t process;     /* number that its threads get */
    struct audience_view view; /* what of it is seen */
    bool brief;           /* sites have no names, which are NULL, and no quantiles */
    bool apart;           /* variants of a site are sites; else their calls are its */
};
int profile_make_sum(struct profile *p, const struct profile_source *source, size_t count); /* 0; -ENOMEM */

void profile_free(struct profile *p);

/* Complete is a lane whose data could be copied and are sane (else it has none); a snapshot of which all lanes are; a profile
 * of which all sources are, and that has all of them: any other is marked so by whoever knows of more. Such a profile has all
 * that there was to read. It is the whole picture only if nothing is known to be missing besides; the first of these that is: */
enum profile_gap {
    PROFILE_WHOLE,
    PROFILE_LACKS_PROCESSES,
    PROFILE_LACKS_OTHER_CLOCK,
    PROFILE_LACKS_SITES,
    PROFILE_LACKS_INTERPRETERS,
    PROFILE_LACKS_DATA, /* it is not complete */
    PROFILE_LACKS_WAITS,
};
enum profile_gap profile_gap(const struct profile *p);

/* Does this process' Python not tell when a generator or coroutine is closed or collected where it waits, outside of any
 * `try`? Then it counts as suspended until its memory is used by another (python/cpython#140373). */
bool profile_closes_untold(const struct segment_header *h);

/* The node that follows `i` in the tree of a thread, parents before children, 0 after the last; *depth goes along. */
uint32_t profile_next(const struct profile *p, uint32_t i, unsigned *depth);

/* The site with this id, NULL: none. */
const struct profile_site *profile_site(const struct profile *p, uint32_t id);

#endif
