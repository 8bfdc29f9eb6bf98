/* Pages in a chain and the items on them: the loop over them. For a writer's own pages, and for a reader's copy once it has
 * been checked: no link is doubted here. A page without items is left from before a reset; nothing lies behind it. */
#ifndef TSCAP_CHAIN_H
#define TSCAP_CHAIN_H

#include "segment.h"
#include "word.h"

/* Bytes of an item of a lane's chains; 0: pages of this kind are no such chain. */
static inline uint32_t chain_item_size(enum page_kind kind)
{
    static const uint32_t size[PAGE_KINDS] = {
        [PAGE_NODE] = sizeof(struct node),
        [PAGE_HISTOGRAM] = sizeof(struct bucket_block),
        [PAGE_STACK] = sizeof(struct entry),
        [PAGE_SUSPENDED] = sizeof(struct suspended),
    };
    return size[kind];
}

static inline struct page_header *chain_page(void *base, uint32_t number) { return number ? segment_page_at(base, number) : NULL; }
static inline struct page_header *chain_next(void *base, const struct page_header *page) { return chain_page(base, word_get(&page->next)); }

static inline void *page_item(const struct page_header *page, uint32_t i, size_t size)
{
    return (char *)page + PAGE_ITEMS_OFFSET + i * size;
}

/* for each `page` of the chain that begins with page number `first` */
#define chain_each_page(page, base, first) \
    for (struct page_header *page = chain_page((base), (first)); page; page = chain_next((base), page))

/* for each `item` of such a chain, of this type; two loops: leave it by return */
#define chain_each_item(type, item, base, first) \
    chain_each_page(item##_page, base, first) \
        for (type *item = page_item(item##_page, 0, sizeof(type)), *item##_end = item + word_get(&item##_page->used); item < item##_end; item++)

#endif
