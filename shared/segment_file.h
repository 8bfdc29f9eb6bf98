/* The writer's side of a segment: making the file, adding pages, taking it away. For readers see snapshot.h. */
#ifndef TSCAP_SEGMENT_FILE_H
#define TSCAP_SEGMENT_FILE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "clock.h"
#include "segment.h"

struct segment {
    void *base;
    struct segment_header *header; /* == base */
    uint64_t capacity;
    pid_t pid;
    uint64_t start_time;
    dev_t device;
    ino_t inode;
    char directory[PATH_MAX];
    char name[64];
    _Atomic int kept; /* its descriptor, if root made it: rights to the path may be dropped; -1: none */
    _Atomic uint64_t refused; /* by the file system: pages: 32 | low half of the milliseconds when; 0: never */
};

struct segment_options {
    uint64_t capacity;   /* bytes the file may grow to; cut to an eighth of the control group's memory limit */
    uint32_t ring_slots; /* per thread, a power of two */
    struct ancestor lineage[SEGMENT_LINEAGE]; /* see lineage.h */
    const char *python, *version;
};

#define SEGMENT_DEFAULT_CAPACITY (256ull << 20)
#define SEGMENT_DEFAULT_RING_SLOTS 8192u
#define SEGMENT_MIN_RING_SLOTS 1024u
#define SEGMENT_MAX_RING_SLOTS (1u << 20)

/* Makes the segment of the calling process in its run directory, visible to others only when complete. The clock must
 * have been chosen. 0 or -errno: -EPERM the run directory is not private, -ENOSPC, -EFBIG, -ENOMEM, ... */
int segment_create(struct segment *s, const struct segment_options *o);

/* `count` zeroed pages in a row: number of the first; 0: refused, and counted (cap, file system, file-size limit). What the
 * file system refused it is not asked for again for some milliseconds. Any thread. */
uint32_t segment_pages(struct segment *s, uint32_t count);

/* Whether it may grow: 0; -EACCES or -ENOENT: the process cannot get at its file any more; others -errno. */
int segment_check(const struct segment *s);

/* Removes the file if it is still this one; the mapping stays. False: there is no right to; the header says that it ended. */
bool segment_unlink(struct segment *s);

/* Gives up mapping and descriptor, without touching the file. */
void segment_close(struct segment *s);

#endif
