/* All lanes of a process, as lanes*.c know them. */
#ifndef TSCAP_LANES_INSIDE_H
#define TSCAP_LANES_INSIDE_H

#include "lanes.h"
#include "merge.h"
#include "rings.h"

struct lanes {
    struct segment *segment;
    struct lanes_options options;
    pthread_mutex_t lock;
    struct writer *all;
    struct writer *oldest, *newest; /* exited, keeping their rows */
    uint32_t exited;
    struct rings rings;
    struct merge *graveyard;
    bool threaded; /* a second lane has been wanted */
};

#endif
