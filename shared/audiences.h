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

/* What it is now: not what it was before its selection changed. NULL: there is no such consumer. */
const struct consumer *audiences_consumer(const struct audiences *a, uint32_t consumer);

/* Are calls missing that it should see? */
bool audience_view_is_short(const struct audience_view *v);

/* Are calls with this identity its? */
bool audience_view_has(const struct audience_view *v, uint32_t identity);

#endif
