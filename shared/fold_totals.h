/* What is known of the calls of a node besides sums: extremes, histogram, squares, how they ended. For fold*.c only. */
#ifndef TSCAP_FOLD_TOTALS_H
#define TSCAP_FOLD_TOTALS_H

#include "deviation.h"
#include "fold_batch.h"
#include "histogram.h"
#include "item_key.h"

struct bucket_block *totals_block_slow(struct folder *f, struct node *n, unsigned range);
void totals_add_extremes(struct folder *f, struct bucket_block *b, uint64_t duration);
void totals_add_flags(struct folder *f, struct node *n, unsigned flags, uint64_t duration); /* if it has ended */

/* A keyed call has ended: it ran that long, and waited that long between its first start and now. */
void totals_add_keyed(struct folder *f, struct node *n, uint64_t ran, uint64_t waited);

static inline void totals_touch(struct folder *f, struct node *n)
{
    if (!batch_first_touch(f, &n->stamp))
        return;
    batch_log(f, &n->inclusive, 4); /* children, calls, low half of squares */
}

static inline struct bucket_block *totals_block(struct folder *f, struct node *n, unsigned range)
{
    segment_ref hint = word_get(&n->recent_block[range & 1]);
    if (likely(hint)) {
        struct bucket_block *b = segment_at(f->base, hint);
        if (likely(key_block_range(word_get(&b->item.key)) == range))
            return b;
    }
    return totals_block_slow(f, n, range);
}

/* The node has been touched. */
static inline void totals_add_square(struct folder *f, struct node *n, uint64_t duration)
{
    uint128 square = (uint128)duration * duration;
    uint64_t low = (uint64_t)square, sum = word_get(&n->squares[0]) + low, high = (uint64_t)(square >> 64) + (sum < low);
    word_put(&n->squares[0], sum);
    if (unlikely(high))
        batch_add(f, &n->squares[1], high);
}

static inline __attribute__((always_inline)) void totals_count(struct folder *f, struct bucket_block *b, uint64_t duration)
{
    if (unlikely(duration < word_get(&b->min) || duration > word_get(&b->max)))
        totals_add_extremes(f, b, duration);
    _Atomic uint64_t *count = &b->count[histogram_step(duration)];
    batch_mark(f, b);
    batch_log(f, count, 1);
    batch_bump(count, 1);
}

/* Of a call that never waited. The node has been touched, and has its time. */
static inline __attribute__((always_inline)) void totals_add_duration(struct folder *f, struct node *n, uint64_t duration)
{
    struct bucket_block *b = totals_block(f, n, block_range(BLOCK_PLAIN, histogram_exponent(duration)));
    if (unlikely(!b)) { /* no memory */
        batch_add(f, &n->unended, duration);
        return;
    }
    totals_add_square(f, n, duration);
    totals_count(f, b, duration);
}

#endif
