/* What is not in the numbers of a profile, or not exact: a row per counter, for the table's last lines and for JSON. */
#ifndef TSCAP_LOSSES_H
#define TSCAP_LOSSES_H

#include <stddef.h>
#include <stdint.h>

#include "profile.h"

struct loss_row {
    const char *name; /* in JSON */
    const char *text; /* after the number */
    size_t offset;    /* in struct profile */
};
#define LOSS_CALLS 0 /* the row of lost calls */
extern const struct loss_row losses[];
extern const size_t loss_count;

static inline uint64_t loss_of(const struct loss_row *row, const struct profile *p)
{
    return *(const uint64_t *)((const char *)p + row->offset);
}

#endif
