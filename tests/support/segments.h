/* A segment of this process to test with, and looks at it as a reader has them. */
#ifndef TSCAP_TESTS_SEGMENTS_H
#define TSCAP_TESTS_SEGMENTS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "lanes.h"
#include "profile.h"
#include "rundir.h"
#include "segment_file.h"
#include "sites.h"
#include "snapshot.h"

struct test_segment {
    struct segment segment;
    struct lanes *lanes;
    struct sites *sites;
};

/* A run directory of its own when the caller has none. */
static inline void private_run_directory(void)
{
    static char made[] = "/dev/shm/tscap-unit.XXXXXX";
    if (!getenv("TSCAP_DIR") && mkdtemp(made))
        setenv("TSCAP_DIR", made, 1);
}

static inline struct lanes_options small_lanes(void)
{
    return (struct lanes_options){
        .ring_slots = SEGMENT_MIN_RING_SLOTS, .keep_exited = 4, .cpu_mode = CPUTIME_WALL, .limits = folder_default_limits};
}

/* Nothing gives a thread's memory back before the end of the process; for leak checkers it stays within reach. */
static inline void *kept(void *p)
{
    static void *volatile all[1 << 16];
    static _Atomic uint32_t count;
    return all[atomic_fetch_add(&count, 1) % (sizeof all / sizeof *all)] = p;
}

static inline struct writer *open_lane(struct test_segment *b, const char *name) { return kept(lanes_open(b->lanes, name)); }

/* 0 or what segment_create() said. */
static inline int segment_begin(struct test_segment *b, uint64_t capacity, const struct lanes_options *o)
{
    struct segment_options wanted = {.capacity = capacity, .ring_slots = o->ring_slots, .python = "none", .version = "test"};
    private_run_directory();
    clock_choose();
    int r = segment_create(&b->segment, &wanted);
    if (r < 0)
        return r;
    b->lanes = kept(lanes_new(&b->segment, o));
    b->sites = sites_new(&b->segment);
    return 0;
}

/* The mapping and what threads hold stay: nothing gives a lane back but the end of the process. */
static inline void segment_end(struct test_segment *b)
{
    segment_unlink(&b->segment);
    sites_delete(b->sites);
    b->sites = NULL;
}

/* Sites 1 .. count. */
static inline void intern_numbered(struct test_segment *b, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%u", i);
        struct site site = {.name = name, .qualname = name, .module = "m", .file = "m.py", .line = i};
        if (sites_intern(b->sites, &site) != i)
            abort();
    }
}

/* As another process would: by name, read-only. */
static inline int open_as_reader(struct view *v, const struct segment *s)
{
    int dirfd = rundir_open(geteuid(), false);
    int r = dirfd < 0 ? dirfd : view_open(v, dirfd, s->name, geteuid());
    if (dirfd >= 0)
        close(dirfd);
    return r;
}

/* Patience of 0: one look at each lane, no second one. */
static inline int look(struct snapshot *s, const struct view *v, uint64_t patience)
{
    return snapshot_take(s, v, &(struct snapshot_options){.alive = false, .patience = patience});
}

/* Both at once. The profile borrows nothing from the snapshot. */
static inline int profile_of(struct profile *p, const struct view *v, uint64_t patience)
{
    struct snapshot s;
    int r = look(&s, v, patience);
    if (r < 0)
        return r;
    r = profile_make(p, &s);
    snapshot_free(&s);
    return r;
}

#define PATIENT 5000000000ull

#endif
