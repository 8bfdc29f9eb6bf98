/* Rows of a capture file, taken into a recording, each checked. For capture_*.c only. */
#ifndef TSCAP_CAPTURE_TAKE_H
#define TSCAP_CAPTURE_TAKE_H

#include "capture_fields.h"

struct capture_taking {
    struct recording *recording;
    struct capture_strings strings;
    char **texts; /* of each block of strings, which `strings` points into */
    size_t texts_count, texts_room, strings_room;
    size_t notes_room, sites_room, processes_room, consumers_room, threads_room, buckets_room, pairs_room, nodes_room;
    uint32_t functions;  /* rows of them */
    uint32_t node_rows;
    uint32_t thread, last, depth; /* of the node that came last; `last`: 0 for none of this thread */
    struct recording totals; /* as they were told: no pointers */
    bool total;
};

/* The body of a block. 0; -EBADMSG: it says what cannot be; -ENOMEM. */
int capture_take(struct capture_taking *t, enum capture_kind kind, struct capture_cursor *c);

/* After the last: is all there that the totals speak of? The recording is complete then. */
int capture_take_all(struct capture_taking *t);

/* Not the recording. */
void capture_taking_free(struct capture_taking *t);

#endif
