/* The boxes of a flame graph: what is drawn, from left to right and from callers to callees, or the other way round. */
#ifndef TSCAP_FLAME_H
#define TSCAP_FLAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export.h"

enum flame_kind {
    FLAME_ALL,      /* the whole */
    FLAME_THREAD,   /* `what`: its index */
    FLAME_FUNCTION, /* `what`: index in profile.site; profile.sites: the paths that were given up */
    FLAME_SMALL,    /* siblings that would be too narrow; `what`: how many */
};

/* In ticks, or calls: by metric. */
struct flame_box {
    enum flame_kind kind;
    uint32_t what;
    unsigned depth;       /* 0: the whole */
    uint64_t from, value; /* where it begins, and its width */
    uint64_t own;         /* of it nobody's above it */
    uint64_t before;      /* its value in the earlier profile; 0 unless there is one, and of inverted ones */
};

struct flame {
    struct flame_box *box; /* parents before children */
    size_t count, room;
    uint64_t total;
    unsigned depths; /* the greatest depth, and 1 */
};

/* `parts`: a box is narrow if it is less than a part in so many of the whole. False: no memory. To be freed in any case. */
bool flame_make(struct flame *f, const struct export *e, uint64_t parts);
/* Inverted: at the top what counts itself, below it its callers. */
bool flame_make_inverted(struct flame *f, const struct export *e, uint64_t parts);
void flame_free(struct flame *f);

/* For those two: one more box. False: no memory. */
bool flame_add(struct flame *f, const struct flame_box *box);
/* The least value of a box that is not narrow. */
static inline uint64_t flame_least(const struct flame *f, uint64_t parts) { return f->total / parts + (f->total % parts != 0); }

#endif
