/* How the calls of an interval lie, by the histograms of those that ended in it. For interval*.c only. */
#ifndef TSCAP_INTERVAL_SPREADS_H
#define TSCAP_INTERVAL_SPREADS_H

#include "profile.h"

/* `p` has its histograms, and of each function the spread of all calls until now. 0 or -ENOMEM. */
int interval_add_spreads(struct profile *p, const struct profile *before);

#endif
