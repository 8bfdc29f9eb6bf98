/* Keys of items, and of what is counted beside them: the top three bits tell which kind it is; a ref has 29 bits, a site 24, an
 * audience 8. */
#ifndef TSCAP_ITEM_KEY_H
#define TSCAP_ITEM_KEY_H

#include "segment.h"

static inline uint64_t key_node(segment_ref parent, uint32_t identity) { return (uint64_t)parent << 32 | identity; }
static inline uint64_t key_block(uint32_t identity, unsigned range) { return 1ull << 61 | (uint64_t)identity << 8 | range; }
static inline unsigned block_range(enum block_kind kind, unsigned exponent) { return (unsigned)kind << 6 | exponent; }
static inline uint64_t key_suspended(uint64_t activation) { return 2ull << 61 | activation >> 3; }
static inline uint64_t key_pair(uint32_t caller, uint32_t site) { return 4ull << 61 | (uint64_t)caller << 24 | site; }
static inline uint64_t key_pair_node(uint32_t caller, uint32_t identity, uint32_t flags)
{
    return 4ull << 61 | (uint64_t)flags << 56 | (uint64_t)caller << 32 | identity;
}
static inline uint64_t key_site(uint32_t site) { return 5ull << 61 | site; }

/* For checking what is not trusted. */
static inline uint32_t key_block_identity(uint64_t key) { return (uint32_t)(key >> 8); }
static inline unsigned key_block_range(uint64_t key) { return key & 0xff; }
static inline unsigned key_block_kind(uint64_t key) { return key >> 6 & 3; }
static inline unsigned key_block_exponent(uint64_t key) { return key & 0x3f; }
static inline bool key_is_suspended(uint64_t key) { return key >> 61 == 2; }

/* The key that the node must have; 0: none. */
static inline uint64_t key_of_node(const struct node *n)
{
    if (n->flags & NODE_PAIR)
        return key_pair_node(node_caller(n), n->identity, n->flags);
    return n->parent && node_site(n) ? key_node(n->parent, n->identity) : 0;
}

#endif
