/* Copying a lane while its thread writes to it (segment.h, struct lane). For snapshot*.c only. */
#ifndef TSCAP_SNAPSHOT_COPY_H
#define TSCAP_SNAPSHOT_COPY_H

#include "snapshot.h"

struct ring_copy {
    struct slot *slot;
    uint64_t mask, tail, count;
    uint64_t first; /* == tail, or the record before, which tells when the thread was last heard of */
    struct undo_word *log; /* of the batch in progress */
    uint64_t log_count;
    uint32_t walk; /* in which the lane's pages were copied */
};

struct copier {
    const struct view *view;
    struct snapshot *s;
    const struct snapshot_options *options;
    uint32_t limit;   /* pages that exist */
    uint32_t *owner;  /* per page: page number of the lane that has claimed it */
    uint32_t *stamp;  /* per page: the last walk that came by */
    bool *trusted;    /* per page: the copy's change mark can be relied on */
    uint32_t walk;
    uint32_t grave;   /* page number of the lane of merged ones, which has no ring; 0: none */
    uint64_t deadline;
    struct ring_copy *ring; /* per lane copy */
};

static inline const void *copier_live(const struct copier *c, uint32_t page) { return (const char *)c->view->base + (size_t)page * SEGMENT_PAGE; }

void copier_refresh(struct copier *c);

/* The file may have grown since it was last looked at. */
bool copier_has(struct copier *c, uint32_t first, uint32_t count);

/* The next page of a walk through the segment, where nothing is to be trusted. False: it does not exist, or the walk has come
 * by before. */
bool copier_visit(struct copier *c, uint32_t number);

/* Takes some of the items of a table, the first of which is number `done`, counted from 0. */
typedef void copier_take(struct copier *c, const struct page_header *page, uint32_t done, uint32_t count);

/* The pages of a table of the segment's own, which has `count` items, `per_page` on each but the last. 0 or -EBADMSG. */
int copier_table(struct copier *c, enum page_kind kind, uint32_t first, uint32_t count, uint32_t per_page, copier_take *take);

/* -ETIMEDOUT, -EBADMSG, -ENOMEM; `merges`: as of the copy. */
int copier_lane(struct copier *c, uint32_t page, struct lane_copy *l, struct ring_copy *ring, uint32_t *merges);

#endif
