#include "rings.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SHARE 8u /* of the segment, for the rings of each but the smallest size, or less: see rings.h */

static uint32_t bytes_of(uint32_t slots) { return slots * (uint32_t)sizeof(struct slot); }

static uint32_t size_of(uint32_t slots)
{
    uint32_t size = 0;
    while (SEGMENT_MIN_RING_SLOTS << size < slots)
        size++;
    return size;
}

void rings_init(struct rings *r, struct segment *segment, uint32_t slots)
{
    uint64_t of_each = segment->capacity / SHARE / bytes_of(slots);
    *r = (struct rings){.segment = segment, .most = slots, .of_each = of_each ? (uint32_t)of_each : 1};
}

static uint32_t slots_wanted(const struct rings *r)
{
    uint32_t slots = r->most;
    for (uint32_t more = r->used / r->of_each; more && slots > SEGMENT_MIN_RING_SLOTS; more--)
        slots /= 2;
    return slots;
}

static struct ring take_unused(struct rings *r)
{
    for (uint32_t size = RINGS_SIZES; size-- > 0;)
        if (r->unused[size].count)
            return (struct ring){.page = r->unused[size].page[--r->unused[size].count], .slots = SEGMENT_MIN_RING_SLOTS << size};
    return (struct ring){.page = 0};
}

static struct ring take_new(const struct rings *r)
{
    struct ring ring = {.slots = slots_wanted(r)};
    for (;;) {
        ring.page = segment_pages(r->segment, bytes_of(ring.slots) / SEGMENT_PAGE);
        if (ring.page || ring.slots == SEGMENT_MIN_RING_SLOTS)
            return ring;
        ring.slots /= 2;
    }
}

struct ring rings_take(struct rings *r)
{
    struct ring ring = take_unused(r);
    if (!ring.page)
        ring = take_new(r);
    r->used += ring.page != 0;
    return ring;
}

void rings_give(struct rings *r, struct ring ring)
{
    uint32_t size = size_of(ring.slots);
    r->used--;
    if (r->unused[size].count == r->unused[size].room) {
        uint32_t room = r->unused[size].room ? 2 * r->unused[size].room : 16;
        uint32_t *more = realloc(r->unused[size].page, room * sizeof *more);
        if (!more)
            return; /* its pages stay unused */
        r->unused[size].page = more;
        r->unused[size].room = room;
    }
    r->unused[size].page[r->unused[size].count++] = ring.page;
}

void rings_trim(struct rings *r)
{
    for (struct ring ring = take_unused(r); ring.page; ring = take_unused(r))
        madvise(segment_page_at(r->segment->base, ring.page), bytes_of(ring.slots), MADV_REMOVE);
}

void rings_free(struct rings *r)
{
    for (uint32_t size = 0; size < RINGS_SIZES; size++)
        free(r->unused[size].page);
}
