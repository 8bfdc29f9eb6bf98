/* Both sides as one profile: each path that any of them has, with the times of B, and beside it what A had. A tick is a nanosecond,
 * and all is one thread. */
#ifndef TSCAP_MERGED_H
#define TSCAP_MERGED_H

#include "comparison.h"
#include "profile.h"

struct merged {
    struct profile profile; /* its functions are the changes, in their order; names are borrowed */
    uint64_t *before;       /* [nodes + 1]: the metric of each node in A, ns */
    uint64_t gone;          /* ns: of them, of paths that B has not */
};

/* To be freed in any case. 0 or -ENOMEM. */
int merged_make(struct merged *m, const struct comparison *c);
void merged_free(struct merged *m);

/* Which path of the comparison a node is. */
static inline const struct path_change *merged_path(const struct comparison *c, uint32_t node) { return &c->path[node - 1]; }

#endif
