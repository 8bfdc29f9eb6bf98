/* The tracks of a process' Profilers, and what is in them: as a snapshot has them, checked, in the order in which they are shown. */
#ifndef TSCAP_TRACK_LIST_H
#define TSCAP_TRACK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"

/* A place; or a track without any, or a profiler without tracks. */
struct track_line {
    const struct consumer *profiler; /* (borrowed) of the snapshot */
    uint32_t track;      /* its row; 0: there is none */
    bool enabled, word;  /* as in enum track_flag */
    char *id, *name;     /* of the track: printable UTF-8; name "": none was given */
    uint32_t kind;       /* of the place: enum site_kind */
    char *place, *file;  /* NULL: there is none */
    uint32_t line;
    uint64_t hits;       /* that have ended, since its zero */
};

struct track_list {
    struct track_line *line; /* by profiler, track, place */
    size_t count;
};

/* 0 or -ENOMEM; the snapshot stays as long as this. */
int track_list_make(struct track_list *t, const struct snapshot *s);
void track_list_free(struct track_list *t);

static inline bool track_list_same_profiler(const struct track_line *a, const struct track_line *b) { return a->profiler == b->profiler; }
static inline bool track_list_same_track(const struct track_line *a, const struct track_line *b)
{
    return track_list_same_profiler(a, b) && a->track == b->track;
}

#endif
