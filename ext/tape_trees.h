/* The trees of what a tape has: its entries replayed, so that a collector's calls are a profile, as a lane's are. No Python. */
#ifndef TSCAP_TAPE_TREES_H
#define TSCAP_TAPE_TREES_H

#include "profile.h"
#include "tape.h"

/* Threads, nodes, pairs and buckets are made, and the sites, which are there, get their sums. What is open ends at `until` and counts
 * as open, as does what waits, unless entries were dropped. Entries have to be sorted. 0 or -ENOMEM; profile_free() in any case. */
int tape_trees_make(struct profile *p, const struct tape *t, uint64_t until);

#endif
