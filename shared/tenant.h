/* A tenant of a run directory: the process that a segment and a socket there are named after (rundir.h). Whether it may
 * still live is asked here and nowhere else, and its two files go together. */
#ifndef TSCAP_TENANT_H
#define TSCAP_TENANT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "segment.h"

struct tenant {
    int dirfd; /* (borrowed) */
    pid_t pid; /* as it sees itself */
    uint64_t start_time;
};

/* The header of its segment, its numbers checked. False: there is none that can be read, or it is of another ABI. */
bool tenant_header(const struct tenant *t, struct segment_header *h);

/* Has process `pid`, which made the segment with this header, become another program since (exec), or left it? Its number and start time
 * stay; what the one before had mapped does not, and each segment says where that is. */
bool tenant_is_replaced(const struct segment_header *h, pid_t pid);

/* In doubt it does. One of another pid namespace (a container that shares the directory) is not in our /proc, or another is
 * there by its number: but its listener answers. */
bool tenant_may_live(const struct tenant *t);

/* May whoever its segment is kept for remove it? Also while it ends: a process says so in its segment (`closing`) before it
 * looks whether somebody keeps that, and who keeps it ends that visibly before he asks here. So one of them sees the other. */
bool tenant_has_left(const struct tenant *t);

/* Removes segment and socket. 0, or -errno of the first that stays; what is gone is gone. `told`, or NULL: of each file that
 * was there, and 0 or why it stays. */
typedef void tenant_told(void *context, const char *name, int error);
int tenant_remove(const struct tenant *t, tenant_told *told, void *context);

#endif
