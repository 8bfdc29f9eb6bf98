/* Keyed items of a segment (nodes, histogram blocks, suspended calls) found by linear hashing: the table grows by
 * splitting one bucket per insertion, so no insertion pays for a rehash of all. Chains run through struct item.next,
 * buckets are private memory: a reader builds its own over its copy. */
#ifndef TSCAP_ITEMS_H
#define TSCAP_ITEMS_H

#include "segment.h"

#include <stdbool.h>

#define ITEMS_SEGMENT 512u
#define ITEMS_SEGMENTS_MAX 2048u

struct items {
    void *base; /* of the segment (borrowed) */
    uint32_t buckets, low; /* low: buckets at the last doubling, a power of two */
    uint32_t count;
    uint32_t *segment[ITEMS_SEGMENTS_MAX];
};

struct items *items_new(void *base); /* NULL: no memory */
void items_delete(struct items *t);
void items_clear(struct items *t); /* forgets all items; O(buckets) */

void *items_find(const struct items *t, uint64_t key); /* NULL: none */
void items_insert(struct items *t, struct item *item); /* key set, not present; never fails: chains grow instead */
void items_remove(struct items *t, struct item *item);

#endif
