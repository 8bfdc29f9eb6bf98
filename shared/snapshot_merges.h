/* Lanes that are merged while we look. For snapshot*.c only. */
#ifndef TSCAP_SNAPSHOT_MERGES_H
#define TSCAP_SNAPSHOT_MERGES_H

#include "snapshot_copy.h"

/* `merges` before the first lane and with the merged lane's copy: what was merged in between is in it.
 * False: what is where cannot be told. */
bool merges_account(struct copier *c, const struct lane_copy *grave, uint32_t before, uint32_t after);

#endif
