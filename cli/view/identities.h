/* Identities: functions and blocks are the same in two processes if they have the same names, file and line. Each gets a
 * number, which it keeps from one look to the next. */
#ifndef TSCAP_IDENTITIES_H
#define TSCAP_IDENTITIES_H

#include <stdint.h>

#include "interning.h"
#include "snapshot.h"

struct identities {
    struct interning known;
};
#define IDENTITIES_MAX ((1u << 24) - 1) /* what a profile can number */

/* The numbers of a snapshot's sites, [0 .. sites]; 0: the recorder's own, or one beyond the maximum, which is counted in
 * `*refused`. To be freed; NULL: no memory. */
uint32_t *identities_of(struct identities *x, const struct snapshot *s, uint64_t *refused);

void identities_free(struct identities *x);

#endif
