/* Weights: what a call path counts by one metric, without what it called: calls, or nanoseconds. */
#ifndef TSCAP_WEIGHT_H
#define TSCAP_WEIGHT_H

#include "export.h"

/* Ticks, or calls: exact sums, in the profile's units. */
uint64_t weight_raw(enum export_metric metric, const struct profile_times *t);

/* Rounds a series so that it sums to its rounded sum: the error of one is carried to the next, each is right to 1 ns. */
struct weights {
    const struct clock_scale *scale; /* NULL: calls, nothing is rounded */
    uint64_t raw, told;              /* so far */
};

static inline struct weights weights_begin(const struct export *e, enum export_metric metric)
{
    return (struct weights){.scale = metric == EXPORT_CALLS ? NULL : &e->scale};
}

/* The next one: ns, or calls. */
uint64_t weights_next(struct weights *w, uint64_t raw);

static inline uint64_t export_ns(const struct export *e, uint64_t ticks) { return clock_scale_duration(&e->scale, ticks); }

#endif
