/* Call trees, one per thread. */
#ifndef TSCAP_TREES_H
#define TSCAP_TREES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "filter.h"
#include "table.h"

extern const struct column tree_columns[];

#define TREES_WHOLE 1000000u /* a share of all: shares are millionths */

struct trees_options {
    const struct filter *filter; /* of paths: those that lead to a function that fits */
    const char *columns;         /* NULL: all */
    uint64_t least;              /* inclusive time that a path has at least, as a share of the thread's; others become one row */
    uint64_t limit;              /* paths of a thread: the costliest */
    size_t width;
};

/* False: no memory. */
bool trees_print(const struct capture *c, const struct trees_options *o);

#endif
