#include "fold_totals.h"

#include "fold_pages.h"

struct bucket_block *totals_block_slow(struct folder *f, struct node *n, unsigned range)
{
    uint64_t key = key_block(n->identity, range);
    struct bucket_block *b = items_find(f->items, key);
    if (!b) {
        struct bucket_block image = {.item.key = key, .min = UINT64_MAX};
        b = pages_new_item(f, PAGE_HISTOGRAM, &image);
        if (!b)
            return NULL;
        items_insert(f->items, &b->item);
    }
    word_set(&n->recent_block[range & 1], segment_ref_of(f->base, b));
    return b;
}

void totals_add_extremes(struct folder *f, struct bucket_block *b, uint64_t duration)
{
    if (duration < word_get(&b->min))
        batch_change(f, &b->min, duration);
    if (duration > word_get(&b->max))
        batch_change(f, &b->max, duration);
}

/* Both or none: a call counts as often among what calls ran as among what elapsed. */
void totals_add_keyed(struct folder *f, struct node *n, uint64_t ran, uint64_t waited)
{
    if (!waited) {
        totals_add_duration(f, n, ran);
        return;
    }
    struct bucket_block *run = totals_block(f, n, block_range(BLOCK_RAN, histogram_exponent(ran)));
    struct bucket_block *all = run ? totals_block(f, n, block_range(BLOCK_ELAPSED, histogram_exponent(ran + waited))) : NULL;
    if (!all) {
        batch_add(f, &n->unended, ran);
        return;
    }
    totals_add_square(f, n, ran);
    totals_count(f, run, ran);
    totals_count(f, all, ran + waited);
}

void totals_add_flags(struct folder *f, struct node *n, unsigned flags, uint64_t duration)
{
    if (flags & RECORD_RAISED)
        batch_add(f, &n->raised, 1);
    if (flags & RECORD_CUT)
        batch_add(f, &n->cut, 1);
    else if (flags & RECORD_APART)
        batch_add(f, &n->apart, duration);
}
