/* What is counted of the calls of a function, a pair, a path or a thread: one row a metric. Sums, differences, JSON and its
 * schema follow the rows: a new metric is a field of struct profile_times, a row, and the place that fills it. */
#ifndef TSCAP_METRIC_H
#define TSCAP_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile_times {
    uint64_t calls;           /* begun: ended + open */
    uint64_t primitive_calls;
    uint64_t open;            /* not ended when recording stopped or the snapshot was taken */
    uint64_t raised;
    uint64_t inclusive, exclusive; /* ticks */
    uint64_t off_inclusive, off_exclusive; /* of them not on the CPU, as far as anybody knows */
    uint64_t unknown_inclusive, unknown_exclusive; /* of these: open calls' time of which nobody knows whether it was on the CPU */
    uint64_t waited; /* generators, coroutines: ticks between suspension and resumption, not part of inclusive */
    uint64_t elapsed; /* from the first start to the final return: inclusive, and waits that are over */
    uint64_t suspended; /* generators, coroutines: waiting now */
    uint64_t bytes;     /* that they said they moved */
};

/* How the calls of a function lie that have ended, all since recording began. Ticks; 0 where none has. */
struct profile_spread {
    uint64_t ended; /* calls */
    uint64_t min, max, p50, p95, p99;
    uint64_t deviation; /* standard, of their durations */
    uint64_t elapsed_min, elapsed_max, elapsed_p50, elapsed_p95, elapsed_p99; /* with what they waited */
};

enum metric_unit { METRIC_COUNT, METRIC_TICKS, METRIC_CPU_TICKS /* known only where there is CPU time */ };

/* Of which activations it is the sum. */
enum metric_sum { METRIC_EACH, METRIC_OUTERMOST };

struct metric {
    const char *name;  /* in JSON, ticks as nanoseconds; NULL: it is not told, others are made of it */
    const char *ticks; /* in JSON, as they are; NULL: only as nanoseconds */
    enum metric_unit unit;
    enum metric_sum sum;
    bool now;          /* how it is now: there is no difference of two looks */
    uint16_t place;    /* in struct profile_times; of a spread, in that */
    uint16_t less;     /* not 0: less what is at that place, and not summed itself */
};
extern const struct metric metrics[];
extern const size_t metric_count;

/* Of a function's spread. None is a sum, so of none there is a difference. */
extern const struct metric spread_metrics[];
extern const size_t spread_metric_count;
uint64_t metric_spread_value(const struct metric *m, const struct profile_spread *s);

uint64_t metric_value(const struct metric *m, const struct profile_times *t);

/* `outermost`: of activations that found their function, or pair, not open. */
void metric_add(struct profile_times *to, const struct profile_times *t, bool outermost);

/* What came since an earlier look. Sums of two looks at a process that works need not fit: never below 0. */
void metric_subtract(struct profile_times *t, const struct profile_times *before);
static inline uint64_t metric_minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

static inline bool metric_any(const struct profile_times *t) { return t->calls || t->inclusive || t->exclusive; }

/* Ticks on the CPU: of all, and of the function's own. */
static inline uint64_t metric_cpu_inclusive(const struct profile_times *t) { return metric_minus(t->inclusive, t->off_inclusive); }
static inline uint64_t metric_cpu_exclusive(const struct profile_times *t) { return metric_minus(t->exclusive, t->off_exclusive); }

#endif
