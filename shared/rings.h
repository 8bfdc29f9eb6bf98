/* Rings of lanes, writer's side: their pages, handed out and taken back. Nobody else uses them meanwhile: lanes.c has a lock.
 *
 * The more there are the smaller are new ones, so that thousands of threads leave room for what is folded: the first have the size that
 * is asked for, until these take an eighth of the segment; as many have half of that, as many a quarter, and so on; all others
 * SEGMENT_MIN_RING_SLOTS. Of 256 MiB the first 256 have 128 KiB each, and those of 2,000 threads take 75 MiB in all. A
 * small ring is folded more often: no call is lost by that. */
#ifndef TSCAP_RINGS_H
#define TSCAP_RINGS_H

#include "segment_file.h"

struct ring {
    uint32_t page;  /* its first; 0: there is none */
    uint32_t slots; /* a power of two */
};

#define RINGS_SIZES 11u
_Static_assert(SEGMENT_MIN_RING_SLOTS << (RINGS_SIZES - 1) == SEGMENT_MAX_RING_SLOTS, "one for each size that a ring can have");

struct rings {
    struct segment *segment;
    uint32_t most; /* slots of the first ones */
    uint32_t of_each; /* rings of a size before the next smaller one comes */
    uint32_t used; /* rings that are handed out */
    struct {
        uint32_t *page;
        uint32_t count, room;
    } unused[RINGS_SIZES]; /* that were given back: the smallest ones first */
};

void rings_init(struct rings *r, struct segment *segment, uint32_t slots);

/* One that was given back, the largest, or a new one; of fewer slots where there is no room for as many. Page 0: no room for any. */
struct ring rings_take(struct rings *r);
void rings_give(struct rings *r, struct ring ring);

/* Memory of those that were given back goes to the system; they are not used again. */
void rings_trim(struct rings *r);

/* Without touching the segment. */
void rings_free(struct rings *r);

#endif
