/* The recorder of this process: its segment, the sites, tracks and lanes in it, or why there is none. Who makes the segment and gives
 * it up is own_segment.h. */
#ifndef TSCAP_RECORDER_H
#define TSCAP_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "lanes.h"
#include "sites.h"
#include "tracks.h"

bool recorder_available(void);
bool recorder_supported(void);      /* only a segment is missing, if anything: see own_segment_reopen() */
const char *recorder_problem(void); /* why not available; "" */

struct segment *recorder_segment(void);
struct sites *recorder_sites(void);
struct tracks *recorder_tracks(void);
struct lanes *recorder_lanes(void);
uint32_t recorder_generation(void); /* of the segment: what was kept in an earlier one is gone */

/* For own_segment.c. */
void recorder_support(void);
void recorder_refuse(int error); /* there is no segment, for this reason: -errno */
int recorder_open(const struct segment_options *segment, const struct lanes_options *lanes); /* 0, or -errno as if refused */
void recorder_forget(void (*forget_lanes)(struct lanes *l)); /* the segment and all that is in it */
void recorder_next_generation(void);

/* What could not be recorded; what this thread calls is not the program's while it measures: no loss. */
void recorder_count_thread_lost(void); /* it asks again at each call, and is one thread */
void recorder_count_call_lost(void);
void recorder_measuring_here(bool on);

#endif
