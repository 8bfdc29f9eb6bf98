/* What `tscap tracks` tells the listener: lines, each a track that is to be switched on or off. */
#ifndef TSCAP_TRACK_ORDERS_H
#define TSCAP_TRACK_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACK_ORDERS_MAX 128
#define TRACK_ORDERS_TEXT (TRACK_ORDERS_MAX * 40) /* bytes that they take at most, with the 0 */

struct track_order {
    uint32_t profiler; /* number of the consumer */
    uint32_t row;      /* of the track: see struct track_record */
    bool on;
};

struct track_orders {
    struct track_order order[TRACK_ORDERS_MAX];
    size_t count;
};

/* 0 or -EINVAL: that is no such text, or says nothing. */
int track_orders_parse(struct track_orders *o, const char *text);

void track_orders_write(const struct track_orders *o, char text[TRACK_ORDERS_TEXT]);

#endif
