/* The profile of an interval: what came between two looks at the same recording, as if recording had begun with the first. */
#ifndef TSCAP_INTERVAL_H
#define TSCAP_INTERVAL_H

#include "profile.h"

/* Counts and times are exact differences, by function, pair, path and thread; how many calls are open or wait is as `now`.
 * Shortest, longest and quantiles of the interval's calls are exact where `before` has no call of the function that has ended or
 * where they lie outside of what it has, else by the histogram: within 3.2 %. The standard deviation is exact in the first case,
 * else by the histogram. 0 or -ENOMEM; on success to be freed. */
int interval_make(struct profile *p, const struct profile *now, const struct profile *before);

#endif
