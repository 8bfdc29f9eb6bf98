#include "scale.h"

#include <string.h>

#include "process.h"

bool scale_same_boot(const struct segment_header *h)
{
    char boot_id[sizeof h->boot_id];
    process_boot_id(boot_id, sizeof boot_id);
    return strcmp(boot_id, h->boot_id) == 0;
}

/* The rate of a counter is a matter of the machine, its zero one of the boot: a segment from before a reboot gets today's
 * rate on its own anchor. */
static struct clock_scale scale_of_other_boot(enum clock_source source, const struct clock_anchor *anchor)
{
    struct clock_anchor here = clock_anchor_take(source);
    struct clock_scale scale = clock_scale_now(source, &here);
    scale.ticks = anchor->ticks;
    scale.monotonic = anchor->monotonic;
    return scale;
}

struct clock_scale scale_of_segment(const struct segment_header *h)
{
    struct clock_anchor anchor = {h->anchor_ticks, h->anchor_monotonic, h->anchor_realtime, h->anchor_boottime, h->anchor_width};
    return scale_same_boot(h) ? clock_scale_now(h->clock_source, &anchor) : scale_of_other_boot(h->clock_source, &anchor);
}
