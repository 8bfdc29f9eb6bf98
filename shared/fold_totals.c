#include "fold_totals.h"

#include "fold_pages.h"

struct bucket_block *totals_block_slow(struct folder *f, struct node *n, unsigned exponent)
{
    uint64_t key = key_block(n->identity, exponent);
    struct bucket_block *b = items_find(f->items, key);
    if (!b) {
        struct bucket_block image = {.item.key = key};
        b = pages_new_item(f, PAGE_HISTOGRAM, &image);
        if (!b)
            return NULL;
        items_insert(f->items, &b->item);
    }
    word_set(&n->recent_block[exponent & 1], segment_ref_of(f->base, b));
    return b;
}

void totals_add_extremes(struct folder *f, struct node *n, uint64_t duration)
{
    if (duration < word_get(&n->min))
        batch_change(f, &n->min, duration);
    if (duration > word_get(&n->max))
        batch_change(f, &n->max, duration);
}

void totals_add_flags(struct folder *f, struct node *n, unsigned flags)
{
    if (flags & RECORD_RAISED)
        batch_add(f, &n->raised, 1);
    if (flags & RECORD_CUT)
        batch_add(f, &n->cut, 1);
}
