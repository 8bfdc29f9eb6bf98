/* What each consumer may see of a segment: a checked copy of the tables of consumers and audiences (segment.h), as a reader
 * has it. A number in it that makes no sense says nothing; none is followed. */
#ifndef TSCAP_AUDIENCES_H
#define TSCAP_AUDIENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "segment.h"

struct audiences {
    uint64_t member[SEGMENT_AUDIENCES]; /* bit i: consumer[i] */
    struct consumer consumer[SEGMENT_CONSUMERS]; /* number 0: none; texts end, and are printable */
    uint64_t *selected[SEGMENT_CONSUMERS]; /* of those with CONSUMER_SELECTS: a bit per site; NULL: none */
    uint32_t sites; /* that a selection has bits for: 0 .. sites */
};

/* `pages` exist from `base` on. 0; -ENOMEM; -EBADMSG: not a table; -EAGAIN: it changes all the time. None at all is fine. */
int audiences_copy(struct audiences *a, const void *base, uint32_t pages, uint32_t sites);
void audiences_free(struct audiences *a);

/* What one consumer sees; or everything. */
struct audience_view {
    const struct audiences *audiences; /* (borrowed); NULL: everything */
    uint64_t slots; /* the consumer's */
};

/* -ENOENT: there is no such consumer. */
int audiences_view(const struct audiences *a, uint32_t consumer, struct audience_view *v);

/* The same of all that are of these kinds: bits by enum consumer_kind. Without slots: there is none. */
struct audience_view audiences_view_kinds(const struct audiences *a, unsigned kinds);

/* The same of those whose calls are shown unasked: the session's, those of attach and the collectors'. Profilers and yappi's
 * sessions select for themselves alone. */
struct audience_view audiences_view_default(const struct audiences *a);

/* Of all of them. */
struct audience_view audiences_view_everything(const struct audiences *a);

/* The consumers whose view it is, as they are now; from *i = 0, NULL after the last. */
const struct consumer *audience_view_next(const struct audience_view *v, unsigned *i);

/* What it is now: not what it was before its selection changed. NULL: there is no such consumer. */
const struct consumer *audiences_consumer(const struct audiences *a, uint32_t consumer);

/* "session", "attached", "collectors", "profiler", "yappi"; NULL: there is no such kind. */
const char *consumer_kind_name(uint32_t kind);

/* Are calls missing that it should see? */
bool audience_view_is_short(const struct audience_view *v);

/* Are calls with this identity its? */
bool audience_view_has(const struct audience_view *v, uint32_t identity);

#endif
