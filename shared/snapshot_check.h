/* Is a copied lane sane? Nothing follows a ref in it before. For snapshot*.c only. */
#ifndef TSCAP_SNAPSHOT_CHECK_H
#define TSCAP_SNAPSHOT_CHECK_H

#include "snapshot_copy.h"

/* Undoes the batch in progress first, for that restores what is looked at. `ordinal`: per page of the segment, zeroed once. */
bool check_lane(const struct copier *c, struct lane_copy *l, struct ring_copy *ring, uint32_t *ordinal);

/* Records of sites that do not exist become such as count as mismatched. */
void check_records(const struct snapshot *s, struct ring_copy *ring);

#endif
