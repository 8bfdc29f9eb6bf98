/* The call trees of an interval. For interval*.c only. */
#ifndef TSCAP_INTERVAL_TREES_H
#define TSCAP_INTERVAL_TREES_H

#include "profile.h"

/* 0 or -ENOMEM. */
int interval_add_trees(struct profile *p, const struct profile *now, const struct profile *before);

#endif
