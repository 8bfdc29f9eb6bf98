/* Lineage: the ancestors of a process, the parent first, as its segment keeps them. Pid and start time together name a
 * process for ever, so a number that was given away again is nobody's ancestor. */
#ifndef TSCAP_LINEAGE_H
#define TSCAP_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "segment.h"

/* Of the calling process, by /proc; what is not there is 0. */
void lineage_now(struct ancestor lineage[SEGMENT_LINEAGE]);

/* What becomes of the lineage of (pid, start_time) in a child that it forked. In place. */
void lineage_descend(struct ancestor lineage[SEGMENT_LINEAGE], pid_t pid, uint64_t start_time);

static inline bool ancestor_is(const struct ancestor *a, pid_t pid, uint64_t start_time)
{
    return a->pid && a->pid == (uint32_t)pid && a->start_time == start_time;
}

/* Is (pid, start_time) in it? */
bool lineage_has(const struct ancestor lineage[SEGMENT_LINEAGE], pid_t pid, uint64_t start_time);

#endif
