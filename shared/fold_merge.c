#include "fold.h"

#include "deviation.h"
#include "fold_batch.h"
#include "fold_nodes.h"
#include "fold_pages.h"
#include "fold_suspended.h"
#include "histogram.h"

static struct node *merge_target(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat)
{
    const struct node *p = parent ? nodes_at(f, parent) : NULL;
    if (!(from->flags & NODE_PAIR) && p && !(p->flags & NODE_PAIR) && p->depth < f->depth_limit) {
        struct node *n = nodes_find(f, key_node(parent, from->identity));
        if (!n && f->nodes < f->node_limit)
            n = nodes_new(f, key_node(parent, from->identity), from->identity, node_caller(from), parent, 0);
        if (n)
            return n;
    }
    struct node *other = nodes_other(f);
    uint64_t key = key_pair_node(node_caller(from), from->identity, flat);
    struct node *n = nodes_find(f, key);
    return n || !other ? n : nodes_new(f, key, from->identity, node_caller(from), segment_ref_of(f->base, other), flat);
}

segment_ref folder_merge_node(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat)
{
    batch_begin(f);
    struct node *n = from ? merge_target(f, parent, from, flat) : NULL;
    if (n) {
        batch_add(f, &n->inclusive, word_get(&from->inclusive));
        batch_add(f, &n->children, word_get(&from->children));
        batch_add(f, &n->calls, word_get(&from->calls));
        batch_add(f, &n->waited, word_get(&from->waited));
        batch_add(f, &n->off_inclusive, word_get(&from->off_inclusive));
        batch_add(f, &n->off_children, word_get(&from->off_children));
        batch_add(f, &n->raised, word_get(&from->raised));
        batch_add(f, &n->cut, word_get(&from->cut));
        batch_add(f, &n->unended, word_get(&from->unended));
        batch_add(f, &n->bytes, word_get(&from->bytes));
        batch_add(f, &n->apart, word_get(&from->apart));
        uint128 squares = node_squares(n) + node_squares(from);
        batch_change(f, &n->squares[0], (uint64_t)squares);
        batch_change(f, &n->squares[1], (uint64_t)(squares >> 64));
    } else if (from)
        batch_add(f, &f->lane->lost, word_get(&from->calls));
    f->tail++;
    batch_end(f);
    return n ? segment_ref_of(f->base, n) : 0;
}

void folder_merge_block(struct folder *f, const struct bucket_block *from)
{
    uint64_t key = word_get(&from->item.key);
    batch_begin(f);
    struct bucket_block *b = items_find(f->items, key), image = {.item.key = key, .min = UINT64_MAX};
    if (!b) {
        b = pages_new_item(f, PAGE_HISTOGRAM, &image);
        if (b)
            items_insert(f->items, &b->item);
    }
    if (b && word_get(&from->min) < word_get(&b->min))
        batch_change(f, &b->min, word_get(&from->min));
    if (b && word_get(&from->max) > word_get(&b->max))
        batch_change(f, &b->max, word_get(&from->max));
    for (unsigned i = 0; b && i < HISTOGRAM_STEPS; i++)
        if (word_get(&from->count[i]))
            batch_add(f, &b->count[i], word_get(&from->count[i]));
    f->tail++;
    batch_end(f);
}

/* One that finds no room stays open for ever: lost, for nobody can say when it ends. */
void folder_merge_suspended(struct folder *f, segment_ref node, const struct suspended *from)
{
    batch_begin(f);
    struct suspended *s = node ? suspended_new(f) : NULL;
    if (s)
        suspended_fill(f, s, &(struct suspended){
            .item.key = word_get(&from->item.key),
            .carried = word_get(&from->carried),
            .waited = word_get(&from->waited),
            .since = word_get(&from->since),
            .node = node | (uint64_t)ENTRY_KEYED << 32,
        });
    else if (node) {
        batch_add(f, &nodes_at(f, node)->cut, 1);
        batch_add(f, &f->lane->lost_waits, 1);
    }
    f->tail++;
    batch_end(f);
}

void folder_merge_counters(struct folder *f, const struct lane *from)
{
    struct lane *l = f->lane;
    batch_begin(f);
    batch_add(f, &l->own, word_get(&from->own));
    batch_add(f, &l->off, word_get(&from->off));
    batch_add(f, &l->lost, word_get(&from->lost));
    batch_add(f, &l->clamped, word_get(&from->clamped));
    batch_add(f, &l->mismatched, word_get(&from->mismatched));
    batch_add(f, &l->silent_ends, word_get(&from->silent_ends));
    batch_add(f, &l->lost_waits, word_get(&from->lost_waits));
    batch_add(f, &l->threads, lane_recorded(f->base, from, word_get(&from->head)));
    batch_add(f, &l->records, word_get(&from->head) - word_get(&from->first));
    f->tail++;
    batch_end(f);
}
