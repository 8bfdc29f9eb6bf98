/* Merging the trees of exited threads into one lane, so that memory does not grow with their number. Each node is one
 * fold step of the receiving lane, whose commit word thus says how far a merge went: a reader, or whoever looks after a
 * kill in mid-merge, counts the items before that in the receiving lane and those after it in the exited one. */
#ifndef TSCAP_MERGE_H
#define TSCAP_MERGE_H

#include "fold.h"
#include "segment_file.h"

struct merge;

struct merge *merge_new(struct segment *segment, const struct folder_limits *limits); /* NULL: no memory */
void merge_delete(struct merge *m); /* without touching the segment */

/* Adds all of an exited lane and marks it merged; what found no room is counted as lost. */
void merge_lane(struct merge *m, struct lane *from);

/* As RECORD_TAKEN, of a call that waited when its lane was merged. Returns its audience; `otherwise`: it is not there. */
uint32_t merge_take(struct merge *m, uint64_t key, unsigned flags, uint32_t otherwise);

/* As lanes_compact(), of those that have been merged. */
void merge_compact(struct merge *m, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool *used);

#endif
