#include "fold_nodes.h"

#include <stdlib.h>

#include "fold_opens.h"
#include "fold_pages.h"
#include "fold_stack.h"

/* Twice as large as there are nodes, up to a limit. What was remembered is found again; without memory it stays small. */
void nodes_grow_cache(struct folder *f)
{
    uint32_t slots = f->cache ? 2 * (f->cache_mask + 1) : FOLDER_CACHE_MIN;
    segment_ref *more = f->cache && slots > FOLDER_CACHE_MAX ? NULL : calloc(slots, sizeof *more);
    if (!more)
        return;
    free(f->cache);
    f->cache = more;
    f->cache_mask = slots - 1;
}

struct node *nodes_new(struct folder *f, uint64_t key, uint32_t identity, uint32_t caller, segment_ref parent, uint32_t flags)
{
    struct node image = {
        .identity = identity,
        .item.key = key,
        .item.extra = caller,
        .parent = parent,
        .flags = flags,
        .depth = parent ? nodes_at(f, parent)->depth + 1 : 0,
    };
    struct node *n = pages_new_item(f, PAGE_NODE, &image);
    if (!n)
        return NULL;
    if (++f->nodes > f->cache_mask / 2)
        nodes_grow_cache(f);
    if (key)
        items_insert(f->items, &n->item);
    return n;
}

struct node *nodes_find(const struct folder *f, uint64_t key)
{
    char *item = items_find(f->items, key);
    return item ? (struct node *)(item - offsetof(struct node, item)) : NULL;
}

struct node *nodes_other(struct folder *f)
{
    segment_ref ref = word_get(&f->side->other);
    if (ref)
        return nodes_at(f, ref);
    struct node *n = nodes_new(f, 0, 0, 0, word_get(&f->side->root), NODE_OTHER);
    if (n)
        word_put(&f->side->other, segment_ref_of(f->base, n));
    return n;
}

/* The flat node of a call whose path is given up. NULL: no memory. */
static struct node *pair_node(struct folder *f, uint32_t caller, uint32_t identity)
{
    uint32_t site = identity_site(identity);
    if (!opens_begin(f))
        return NULL;
    struct node *other = nodes_other(f);
    if (!other)
        return NULL;
    uint32_t flags = NODE_PAIR;
    if (counts_get(&f->open, key_site(site)))
        flags |= NODE_SITE_OPEN;
    if (counts_get(&f->open, key_pair(caller, site)))
        flags |= NODE_PAIR_OPEN;
    uint64_t key = key_pair_node(caller, identity, flags);
    struct node *n = nodes_find(f, key);
    if (!n)
        n = nodes_new(f, key, identity, caller, segment_ref_of(f->base, other), flags);
    return n;
}

/* The innermost open call that has a node; the root has one. */
static segment_ref accounted_caller(const struct folder *f)
{
    uint32_t depth = f->depth < stack_entries(f) ? f->depth : stack_entries(f) - 1;
    while (depth && !(segment_ref)word_get(&stack_entry(f, depth)->node))
        depth--;
    return (segment_ref)word_get(&stack_entry(f, depth)->node);
}

segment_ref nodes_child_slow(struct folder *f, uint32_t identity)
{
    segment_ref parent_ref = f->top_node;
    if (!parent_ref) { /* the caller itself could not be accounted for: what it calls counts as called by its caller */
        struct node *n = pair_node(f, nodes_site(f, accounted_caller(f)), identity);
        return n ? segment_ref_of(f->base, n) : 0;
    }
    struct node *parent = nodes_at(f, parent_ref), *n = NULL;
    bool flat = parent->flags & NODE_PAIR || parent->depth >= f->depth_limit || f->depth >= f->depth_limit;
    if (!flat) {
        n = nodes_find(f, key_node(parent_ref, identity));
        if (!n && f->nodes < f->node_limit)
            n = nodes_new(f, key_node(parent_ref, identity), identity, node_site(parent), parent_ref, 0);
        if (n)
            *nodes_remembered(f, parent_ref, identity) = segment_ref_of(f->base, n);
    }
    if (!n)
        n = pair_node(f, node_site(parent), identity);
    return n ? segment_ref_of(f->base, n) : 0;
}
