/* What is known of the calls of a node besides sums: extremes, histogram, how they ended. For fold*.c only. */
#ifndef TSCAP_FOLD_TOTALS_H
#define TSCAP_FOLD_TOTALS_H

#include "fold_batch.h"
#include "histogram.h"
#include "item_key.h"

struct bucket_block *totals_block_slow(struct folder *f, struct node *n, unsigned exponent);
void totals_add_extremes(struct folder *f, struct node *n, uint64_t duration);
void totals_add_flags(struct folder *f, struct node *n, unsigned flags);

static inline void totals_touch(struct folder *f, struct node *n)
{
    if (!batch_first_touch(f, &n->stamp))
        return;
    batch_log(f, &n->inclusive, 3); /* children, calls */
}

static inline struct bucket_block *totals_block(struct folder *f, struct node *n, unsigned exponent)
{
    segment_ref hint = word_get(&n->recent_block[exponent & 1]);
    if (likely(hint)) {
        struct bucket_block *b = segment_at(f->base, hint);
        if (likely((word_get(&b->item.key) & 0xff) == exponent))
            return b;
    }
    return totals_block_slow(f, n, exponent);
}

static inline __attribute__((always_inline)) void totals_add_duration(struct folder *f, struct node *n, uint64_t duration)
{
    unsigned exponent = histogram_exponent(duration);
    struct bucket_block *block = totals_block(f, n, exponent);
    if (unlikely(duration < word_get(&n->min) || duration > word_get(&n->max)))
        totals_add_extremes(f, n, duration);
    if (unlikely(!block))
        return;
    _Atomic uint64_t *count = &block->count[histogram_step(duration, exponent)];
    batch_first_touch(f, &block->item.extra);
    batch_log(f, count, 1);
    batch_bump(count, 1);
}

#endif
