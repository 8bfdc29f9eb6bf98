#include "fold_pages.h"

#include <string.h>

#include "chain.h"
#include "fold_batch.h"

static struct page_header *next_in_chain(struct folder *f, enum page_kind kind)
{
    struct page_header *last = f->last[kind];
    uint32_t next = last ? word_get(&last->next) : word_get(&f->side->chain[kind]);
    return next ? segment_page_at(f->base, next) : NULL;
}

struct page_header *pages_add(struct folder *f, enum page_kind kind)
{
    struct page_header *page = next_in_chain(f, kind); /* left from before a reset */
    if (!page) {
        uint32_t number = f->new_page(f->context, kind);
        if (!number)
            return NULL;
        page = segment_page_at(f->base, number);
        if (f->last[kind]) {
            batch_mark(f, f->last[kind]);
            word_put(&f->last[kind]->next, number);
        } else
            word_put(&f->side->chain[kind], number);
    }
    f->last[kind] = page;
    return page;
}

void *pages_new_item(struct folder *f, enum page_kind kind, const void *image)
{
    struct page_header *page = f->last[kind];
    uint32_t size = chain_item_size(kind);
    if (!page || (word_get(&page->used) + 1) * size > SEGMENT_PAGE - PAGE_ITEMS_OFFSET)
        page = pages_add(f, kind);
    if (!page)
        return NULL;
    uint32_t used = word_get(&page->used);
    char *item = page_item(page, used, size);
    batch_mark(f, page);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, (const char *)image + i, 8);
        word_put((_Atomic uint64_t *)(item + i), word);
    }
    word_put(&page->used, used + 1);
    return item;
}
