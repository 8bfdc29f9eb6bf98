/* Nodes of the tree: the contexts that calls are accounted to. For fold*.c only. */
#ifndef TSCAP_FOLD_NODES_H
#define TSCAP_FOLD_NODES_H

#include "fold_batch.h"
#include "item_key.h"

static inline struct node *nodes_at(const struct folder *f, segment_ref ref) { return segment_at(f->base, ref); }

struct node *nodes_new(struct folder *f, uint64_t key, uint32_t identity, uint32_t caller, segment_ref parent, uint32_t flags); /* NULL: no memory */
struct node *nodes_find(const struct folder *f, uint64_t key);
struct node *nodes_other(struct folder *f); /* the (other) node; NULL: no memory */
void nodes_grow_cache(struct folder *f);

static inline uint32_t nodes_site(const struct folder *f, segment_ref node) { return node ? node_site(nodes_at(f, node)) : 0; }

/* Where to look for a child before asking the hash table: it takes one line instead of three. Sites that are neighbours
 * are neighbours here, which keeps many callees in few lines. */
static inline segment_ref *nodes_remembered(const struct folder *f, segment_ref parent, uint32_t identity)
{
    return &f->cache[(parent * 0x9e3779b1u + identity) & f->cache_mask];
}

/* The node of calls with this identity from the innermost open call; 0: no memory. */
segment_ref nodes_child_slow(struct folder *f, uint32_t identity);

static inline bool nodes_is_child(const struct folder *f, segment_ref ref, segment_ref parent, uint32_t identity)
{
    return ref && nodes_at(f, ref)->identity == identity && nodes_at(f, ref)->parent == parent;
}

static inline segment_ref nodes_child(struct folder *f, uint32_t identity)
{
    segment_ref hint = *nodes_remembered(f, f->top_node, identity);
    return likely(nodes_is_child(f, hint, f->top_node, identity)) ? hint : nodes_child_slow(f, identity);
}

#endif
