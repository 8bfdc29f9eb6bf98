/* The roster, writer's side: the consumers there are, who of them wants records now, and the number of their audience (segment.h,
 * struct consumer).
 *
 *   begin A     audience 1 = {A}
 *   begin B     audience 2 = {A, B}
 *   end B       audience 1                     equal sets, equal numbers: starts and stops add nothing
 *   clear A     1 = {}, 2 = {B}; audience 3 = {A}     what was A's is not A's any more, and still B's
 *
 * Eight consumers have 255 different audiences at most, so they never run out of numbers for long: when all are in use,
 * lanes are compacted, and those that lost their consumers or say the same as another come back. With more consumers there
 * may be none left. Then who would begin is refused; where that cannot be, calls go to the largest audience that has nobody
 * in it who does not want them, and those they are kept from are marked CONSUMER_SHORT. Not thread-safe. */
#ifndef TSCAP_ROSTER_H
#define TSCAP_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment_file.h"

/* Where calls are counted: numbers in `audience` are put in the place of others there; 0 is nobody, whose calls go. `all`: in
 * every lane, and `used` says which numbers are there afterwards; else only where memory is to be won. */
typedef void roster_compact(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES]);

struct roster;

struct roster *roster_new(struct segment *segment, roster_compact *compact, void *context); /* NULL: no memory */
void roster_delete(struct roster *c); /* without touching the segment */

/* What a consumer selects: sites; `all`: every one. */
struct roster_selection {
    bool all;
    const uint32_t *site; /* (borrowed) */
    size_t sites;
    const char *text; /* in the words of who asked for it */
};

/* Its number, never that of another; 0: no room for one more. It does not want anything yet. */
uint32_t roster_add(struct roster *c, enum consumer_kind kind, const char *name, const struct roster_selection *s);

/* It goes, and with it what was counted for it. */
void roster_remove(struct roster *c, uint32_t number, uint64_t when);

/* Calls that begin from here on are its, or are not. 0 or -ENOSPC; twice is once. */
int roster_begin(struct roster *c, uint32_t number, uint32_t flags, uint64_t when);
void roster_end(struct roster *c, uint32_t number, uint64_t when);

/* Nothing that has begun is its any more. -ENOSPC: all is as before. */
int roster_clear(struct roster *c, uint32_t number, uint64_t when);

/* From here on it selects other sites: calls that begin count by this selection, those that have begun by the one before, which
 * takes a slot of the table until there are none of them any more. -ENOSPC: all is as before. */
int roster_select(struct roster *c, uint32_t number, const struct roster_selection *s);

/* One site more, that nothing has been recorded of yet. -ENOSPC. */
int roster_select_new(struct roster *c, uint32_t number, uint32_t site);

/* A profiler's switches: bits of CONSUMER_SWITCHES. They only say how it is; who runs is said above. */
void roster_switch(struct roster *c, uint32_t number, uint32_t switches);

/* Of calls that begin now; the header has it, too. */
uint32_t roster_audience(const struct roster *c);

#endif
