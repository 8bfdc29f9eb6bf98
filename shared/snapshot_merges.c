#include "snapshot_merges.h"

#include "chain.h"
#include "histogram.h"

static void forget_nodes(struct page_header *page, uint32_t count)
{
    struct node *n = page_item(page, 0, sizeof *n);
    for (uint32_t i = 0; i < count; i++) {
        n[i].inclusive = n[i].children = n[i].calls = n[i].squares[0] = n[i].squares[1] = n[i].waited = 0;
        n[i].off_inclusive = n[i].off_children = n[i].raised = n[i].cut = n[i].unended = n[i].bytes = n[i].apart = 0;
    }
}

static void forget_blocks(struct page_header *page, uint32_t count)
{
    struct bucket_block *b = page_item(page, 0, sizeof *b);
    for (uint32_t i = 0; i < count; i++) {
        b[i].min = UINT64_MAX;
        b[i].max = 0;
        for (unsigned j = 0; j < HISTOGRAM_STEPS; j++)
            b[i].count[j] = 0;
    }
}

static void forget_suspended(struct page_header *page, uint32_t count)
{
    struct suspended *w = page_item(page, 0, sizeof *w);
    for (uint32_t i = 0; i < count; i++)
        w[i].node = 0;
}

/* Of a chain's first `count` items; how many are left to forget elsewhere. */
static uint32_t forget_items(struct snapshot *s, uint32_t number, uint32_t count, void (*forget)(struct page_header *, uint32_t))
{
    chain_each_page(page, s->image, number) {
        uint32_t here = page->used < count ? page->used : count;
        forget(page, here);
        count -= here;
    }
    return count;
}

/* The first `count` items of the lane are in the merged ones already; in the order of merge_lane(). */
static void forget_merged(struct snapshot *s, const struct lane_copy *l, uint32_t count)
{
    struct lane *lane = l->lane;
    const struct lane_side *side = lane_side(lane);
    count = forget_items(s, side->chain[PAGE_NODE], count, forget_nodes);
    count = forget_items(s, side->chain[PAGE_HISTOGRAM], count, forget_blocks);
    if (count) {
        lane->own = lane->off = lane->lost = lane->clamped = lane->mismatched = lane->silent_ends = lane->lost_waits = 0;
        lane->first = l->head;
        forget_items(s, side->chain[PAGE_SUSPENDED], count - 1, forget_suspended);
    }
}

static void drop_lane(struct snapshot *s, uint32_t page, uint32_t generation)
{
    for (uint32_t i = 0; i < s->lanes; i++)
        if (s->lane[i].page == page && s->lane[i].generation == generation) {
            s->lane[i].state = LANE_MERGED;
            s->lane[i].empty = true;
        }
}

/* Has all of the lane that `merging` names been merged, only that not having been taken back yet? The merge logged last
 * was seen to be in the copy; it is this one if the lane has had no later use. */
static bool all_merged(const struct copier *c, uint64_t merging, uint32_t merges)
{
    const struct segment_header *h = c->view->base;
    uint32_t page = (uint32_t)(merging >> 32);
    if (page >= c->limit || merges == 0)
        return false;
    const struct lane *live = copier_live(c, page);
    uint64_t last = (uint64_t)page << 32 | word_read(&live->generation);
    return word_read(&live->state) == LANE_MERGED && word_read(&h->merge_log[(merges - 1) % SEGMENT_MERGE_LOG]) == last;
}

/* The lane that was being merged when the merged ones were copied: what of it is there counts once. False: it was copied
 * while its thread still ran, or is a later one's, and the half of it that is merged cannot be told from what is not. */
static bool part_merging(struct copier *c, const struct lane_copy *grave, uint32_t merges)
{
    uint64_t merging = grave->lane->merging;
    uint32_t count = commit_tail(grave->lane->commit) - (uint32_t)merging;
    if (!merging || count == 0 || grave->empty || !grave->complete)
        return true;
    for (uint32_t i = 0; i < c->s->lanes; i++) {
        struct lane_copy *l = &c->s->lane[i];
        if (l->page != merging >> 32 || l->state != LANE_EXITED)
            continue;
        if (!l->empty && l->complete)
            forget_merged(c->s, l, count);
        return true;
    }
    return all_merged(c, merging, merges);
}

bool merges_account(struct copier *c, const struct lane_copy *grave, uint32_t before, uint32_t after)
{
    const struct segment_header *h = c->view->base;
    if (after - before > SEGMENT_MERGE_LOG)
        return false;
    for (uint32_t i = before; i != after; i++) {
        uint64_t entry = word_read(&h->merge_log[i % SEGMENT_MERGE_LOG]);
        drop_lane(c->s, (uint32_t)(entry >> 32), (uint32_t)entry);
    }
    return word_read(&h->merges) - before <= SEGMENT_MERGE_LOG && part_merging(c, grave, after);
}
