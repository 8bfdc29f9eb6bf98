#include "merge.h"

#include <stdio.h>
#include <stdlib.h>

#include "chain.h"

struct merge {
    struct segment *segment;
    struct lane *lane;
    struct folder folder;
    uint32_t spare_page, spare_pages;
};

static uint32_t page_number(const struct merge *m, const void *p)
{
    return (uint32_t)((size_t)((const char *)p - (const char *)m->segment->base) / SEGMENT_PAGE);
}

static uint32_t page_for_merge(void *context, enum page_kind kind)
{
    struct merge *m = context;
    if (kind == PAGE_UNDO)
        return segment_pages(m->segment, UNDO_PAGES);
    if (m->spare_pages == 0) {
        m->spare_page = segment_pages(m->segment, 16);
        m->spare_pages = m->spare_page ? 16 : 0;
        if (!m->spare_pages)
            return 0;
    }
    m->spare_pages--;
    struct page_header *page = segment_page_at(m->segment->base, m->spare_page);
    page->kind = kind;
    page->owner = page_number(m, m->lane);
    return m->spare_page++;
}

struct merge *merge_new(struct segment *segment, const struct folder_limits *limits)
{
    uint32_t page = segment_pages(segment, 1);
    struct merge *m = page ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return NULL;
    m->segment = segment;
    m->lane = segment_page_at(segment->base, page);
    m->lane->page.kind = PAGE_LANE;
    m->lane->page.owner = page;
    snprintf(m->lane->name, sizeof m->lane->name, "(exited threads)");
    if (folder_init(&m->folder, segment->base, m->lane, limits, page_for_merge, m) < 0) {
        free(m);
        return NULL;
    }
    word_put(&m->lane->resets, word_get(&segment->header->resets));
    word_put(&m->lane->state, LANE_EXITED);
    word_put(&segment->header->graveyard, page);
    return m;
}

void merge_delete(struct merge *m)
{
    folder_free(&m->folder);
    free(m);
}

/* Was the site, was the pair (caller, site) open already above this node? Told by its ancestors. */
static uint32_t flat_flags(const struct merge *m, const struct node *n)
{
    uint32_t flags = NODE_PAIR;
    const struct node *up = n->parent ? segment_at(m->segment->base, n->parent) : NULL;
    for (; up; up = up->parent ? segment_at(m->segment->base, up->parent) : NULL) {
        if (node_site(up) == node_site(n) && node_site(up))
            flags |= NODE_SITE_OPEN | (node_caller(up) == node_caller(n) ? NODE_PAIR_OPEN : 0);
    }
    return flags;
}

/* Where a node went is kept in its hint, which nobody needs any more. */
static void merge_one(struct merge *m, const struct lane *from, struct node *n)
{
    segment_ref target;
    segment_ref self = segment_ref_of(m->segment->base, n);
    if (self == word_get(&lane_side(from)->root) || n->flags & NODE_OTHER) {
        target = n->flags & NODE_OTHER ? 0 : word_get(&m->folder.side->root);
        folder_merge_node(&m->folder, 0, NULL, 0); /* an item like any other for whoever counts them */
    } else {
        const struct node *parent = segment_at(m->segment->base, n->parent);
        uint32_t flat = n->flags & NODE_PAIR ? n->flags : flat_flags(m, n);
        target = folder_merge_node(&m->folder, word_get(&parent->scratch), n, flat);
    }
    word_set(&n->scratch, target);
}

static void merge_nodes(struct merge *m, const struct lane *from)
{
    chain_each_item(struct node, n, m->segment->base, word_get(&lane_side(from)->chain[PAGE_NODE]))
        merge_one(m, from, n);
}

static void merge_blocks(struct merge *m, const struct lane *from)
{
    chain_each_item(struct bucket_block, b, m->segment->base, word_get(&lane_side(from)->chain[PAGE_HISTOGRAM]))
        folder_merge_block(&m->folder, b);
}

/* Generators that wait when their thread has gone may go on on another. */
static void merge_suspended(struct merge *m, const struct lane *from)
{
    chain_each_item(struct suspended, s, m->segment->base, word_get(&lane_side(from)->chain[PAGE_SUSPENDED])) {
        uint64_t word = word_get(&s->node);
        const struct node *n = segment_at(m->segment->base, (segment_ref)word);
        bool counts = (segment_ref)word && !(word >> 32 & ENTRY_FOREIGN);
        folder_merge_suspended(&m->folder, counts ? word_get(&n->scratch) : 0, s);
    }
}

/* The log lets a reader that copied `from` before and the merged ones after know that it has the same calls twice. */
static void note_merged(struct merge *m, struct lane *from)
{
    struct segment_header *h = m->segment->header;
    uint32_t merges = word_get(&h->merges);
    word_put(&h->merge_log[merges % SEGMENT_MERGE_LOG], (uint64_t)page_number(m, from) << 32 | word_get(&from->generation));
    word_put(&h->merges, merges + 1);
    word_put(&from->state, LANE_MERGED);
    word_put(&m->lane->merging, 0);
}

void merge_lane(struct merge *m, struct lane *from)
{
    uint32_t resets = word_get(&m->segment->header->resets);
    if (word_get(&m->lane->resets) != resets) {
        word_put(&m->lane->resets, UINT32_MAX);
        folder_reset(&m->folder, m->folder.tail, 0);
        word_put(&m->lane->resets, resets);
    }
    word_put(&m->lane->merging, (uint64_t)page_number(m, from) << 32 | (uint32_t)m->folder.tail);
    if (word_get(&from->resets) == resets) {
        merge_nodes(m, from);
        merge_blocks(m, from);
        folder_merge_counters(&m->folder, from);
        merge_suspended(m, from);
    }
    note_merged(m, from);
}

uint32_t merge_take(struct merge *m, uint64_t key, unsigned flags, uint32_t otherwise)
{
    if (word_get(&m->lane->resets) != word_get(&m->segment->header->resets))
        return otherwise;
    uint32_t audience = folder_audience_waiting(&m->folder, key, otherwise);
    folder_take(&m->folder, key, flags);
    return audience;
}

void merge_compact(struct merge *m, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool *used)
{
    if (word_get(&m->lane->resets) != word_get(&m->segment->header->resets))
        return; /* nothing in it counts */
    if ((all || folder_is_wasteful(&m->folder)) && folder_can_compact(&m->folder, audience))
        folder_compact(&m->folder, audience);
    if (all)
        folder_audiences(&m->folder, used);
}
