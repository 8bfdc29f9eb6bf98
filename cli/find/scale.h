/* How the ticks of a segment become nanoseconds. */
#ifndef TSCAP_SCALE_H
#define TSCAP_SCALE_H

#include <stdbool.h>

#include "clock.h"
#include "segment.h"

/* Was it made since this machine was started last? */
bool scale_same_boot(const struct segment_header *h);

struct clock_scale scale_of_segment(const struct segment_header *h);

#endif
