/* Profilers' tracks and the places in them, writer's side: rows that readers see (segment.h, struct track_record). Rows of profilers
 * that are gone serve again. Not thread-safe: the caller holds the interpreter's lock. */
#ifndef TSCAP_TRACKS_H
#define TSCAP_TRACKS_H

#include <stdint.h>

#include "segment_file.h"
#include "sites.h"

struct track {
    uint32_t profiler;      /* number of the consumer */
    uint32_t track;         /* of a place: the row of its track; 0: this is a track */
    uint32_t site;          /* of a place */
    uint32_t flags;         /* of a track: enum track_flag */
    const char *id, *name;  /* UTF-8; see struct track_record. NULL: none */
};

struct tracks;

struct tracks *tracks_new(struct segment *segment, struct sites *sites); /* both borrowed. NULL: no memory */
void tracks_delete(struct tracks *t); /* without touching the segment */

/* Its row; 0: no room, which the segment counts as growth that was refused. */
uint32_t tracks_add(struct tracks *t, const struct track *track);

/* What a track's row says from now on. */
void tracks_change(struct tracks *t, uint32_t row, uint32_t flags, const char *name);

/* All rows of a profiler, which is gone. */
void tracks_remove(struct tracks *t, uint32_t profiler);

#endif
