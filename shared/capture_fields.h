/* The columns of each table of a capture file, and how they lie in our structs. For capture_*.c only. */
#ifndef TSCAP_CAPTURE_FIELDS_H
#define TSCAP_CAPTURE_FIELDS_H

#include "capture_block.h"
#include "capture_table.h"
#include "recording.h"

/* A row of CAPTURE_NODES: nodes of a thread from its roots on, parents before children; `depth` tells whose child it is. */
struct capture_node {
    uint32_t thread; /* index */
    uint32_t depth;  /* 0: a root */
    struct profile_node node;
};

/* By kind. Rows are: struct recording_note, profile_site, recording_process, recording_consumer, profile_thread, profile_site,
 * profile_bucket, profile_pair, capture_node, recording. Without columns: CAPTURE_END and CAPTURE_STRINGS, which are no tables. */
extern const struct capture_table capture_tables[CAPTURE_KINDS];

#endif
