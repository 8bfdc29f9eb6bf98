#include "snapshot_check.h"

#include "chain.h"
#include "histogram.h"
#include "item_key.h"

struct checker {
    const struct copier *c;
    struct lane_copy *l;
    uint32_t walk;     /* that came by the lane's pages; others were the lane's when it was looked at before */
    uint32_t *ordinal; /* per page: 1 + its place among the lane's node pages */
};

static bool is_item(const struct checker *k, segment_ref ref, enum page_kind kind, uint32_t size)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT;
    uint32_t page = (uint32_t)(offset / SEGMENT_PAGE), at = (uint32_t)(offset % SEGMENT_PAGE);
    if (page >= k->c->limit || k->c->owner[page] != k->l->page || k->c->stamp[page] != k->walk || at < PAGE_ITEMS_OFFSET || (at - PAGE_ITEMS_OFFSET) % size)
        return false;
    const struct page_header *header = snapshot_page(k->c->s, page);
    return header->kind == (uint32_t)kind && (at - PAGE_ITEMS_OFFSET) / size < header->used;
}

static bool is_node(const struct checker *k, segment_ref ref) { return is_item(k, ref, PAGE_NODE, sizeof(struct node)); }

/* Place of a node in the order of creation: parents come before children, so there is no circle. */
static uint64_t place(const struct checker *k, segment_ref ref)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT;
    return (uint64_t)k->ordinal[offset / SEGMENT_PAGE] * SEGMENT_PAGE + offset % SEGMENT_PAGE;
}

typedef bool check_item(struct checker *k, void *item, segment_ref ref);

static bool each_item(struct checker *k, enum page_kind kind, check_item *check)
{
    struct snapshot *s = k->c->s;
    chain_each_page(page, s->image, lane_side(k->l->lane)->chain[kind])
        for (uint32_t i = 0; i < page->used; i++) {
            void *item = page_item(page, i, chain_item_size(kind));
            if (!check(k, item, segment_ref_of(s->image, item)))
                return false;
        }
    return true;
}

static void number_node_pages(struct checker *k)
{
    const struct snapshot *s = k->c->s;
    uint32_t pages = 0;
    chain_each_page(page, s->image, lane_side(k->l->lane)->chain[PAGE_NODE])
        k->ordinal[snapshot_page_number(s, page)] = ++pages;
}

static bool check_node(struct checker *k, void *item, segment_ref ref)
{
    struct node *n = item;
    n->scratch = n->recent_block[0] = n->recent_block[1] = 0;
    bool is_root = ref == lane_side(k->l->lane)->root, is_other = ref == lane_side(k->l->lane)->other;
    if (node_site(n) > k->c->s->sites || node_caller(n) > k->c->s->sites)
        return false;
    if (is_root)
        return n->parent == 0 && n->identity == 0 && n->flags == 0 && n->item.key == 0;
    if (n->flags & NODE_OTHER && !is_other) { /* made, and then the process died */
        n->item.key = 0;
        n->flags = NODE_OTHER;
    }
    return is_node(k, n->parent) && place(k, n->parent) < place(k, ref) && (node_site(n) != 0) == !(n->flags & NODE_OTHER) &&
           n->item.key == key_of_node(n);
}

static bool check_block(struct checker *k, void *item, segment_ref ref)
{
    struct bucket_block *b = item;
    uint64_t key = b->item.key;
    uint32_t identity = key_block_identity(key), site = identity_site(identity);
    unsigned exponent = key_block_exponent(key);
    (void)ref;
    return key == key_block(identity, key_block_range(key)) && exponent < HISTOGRAM_EXPONENTS && key_block_kind(key) < BLOCK_KINDS && site >= 1 &&
           site <= k->c->s->sites;
}

static bool check_suspended(struct checker *k, void *item, segment_ref ref)
{
    struct suspended *w = item;
    segment_ref node = (segment_ref)w->node;
    (void)ref;
    return !w->node || (key_is_suspended(w->item.key) && (!node || is_node(k, node))); /* no node: there was no memory for it */
}

/* The entries in use, and the root's. */
static bool check_stack(struct checker *k)
{
    const struct lane *lane = k->l->lane;
    uint32_t left = commit_depth(lane->commit) + 1;
    chain_each_page(page, k->c->s->image, lane_side(lane)->chain[PAGE_STACK]) {
        const struct entry *e = page_item(page, 0, sizeof *e);
        if (page->used == 0 || left == 0)
            return true;
        if (page->used != PAGE_ITEMS(struct entry))
            return false;
        for (uint32_t i = 0; i < page->used && left; i++, left--) {
            segment_ref node = (segment_ref)e[i].node;
            if (node && !is_node(k, node))
                return false;
        }
    }
    return lane_side(lane)->chain[PAGE_STACK] != 0;
}

/* The log may name words of the lane and of its items only. Those on a page that the batch has added since the chains were
 * copied are left out: the page is not in the image. */
static bool check_log(const struct checker *k, struct ring_copy *ring)
{
    struct lane *lane = k->l->lane;
    uint64_t kept = 0;
    for (uint64_t i = 0; commit_odd(lane->commit) && i < ring->log_count; i++) {
        uint64_t ref = ring->log[i].ref, offset = ref << SEGMENT_REF_SHIFT, page = offset / SEGMENT_PAGE, at = offset % SEGMENT_PAGE;
        bool known = page < k->c->limit && k->c->owner[page];
        bool in_lane = page == k->l->page && at >= offsetof(struct lane, own) && at < offsetof(struct lane, undo_count);
        bool in_item = page != k->l->page && known && k->c->owner[page] == k->l->page && at >= PAGE_ITEMS_OFFSET;
        if (ref > UINT32_MAX || (known && !in_lane && !in_item))
            return false;
        if (known)
            ring->log[kept++] = ring->log[i];
    }
    lane->undo_count = kept;
    return true;
}

bool check_lane(const struct copier *c, struct lane_copy *l, struct ring_copy *ring, uint32_t *ordinal)
{
    struct checker checker = {.c = c, .l = l, .walk = ring->walk, .ordinal = ordinal}, *k = &checker;
    if (!check_log(k, ring))
        return false;
    folder_undo(c->s->image, l->lane, ring->log);
    number_node_pages(k);
    if (!each_item(k, PAGE_NODE, check_node) || !each_item(k, PAGE_HISTOGRAM, check_block) || !each_item(k, PAGE_SUSPENDED, check_suspended))
        return false;
    const struct lane_side *side = lane_side(l->lane);
    return is_node(k, side->root) && (!side->other || is_node(k, side->other)) && check_stack(k);
}

void check_records(const struct snapshot *s, struct ring_copy *ring)
{
    for (uint64_t i = ring->tail; i < ring->tail + ring->count; i++) {
        struct slot *r = &ring->slot[i & ring->mask];
        unsigned kind = record_kind(r->what);
        uint32_t site = record_site(r->what);
        if ((kind == RECORD_ENTER || kind == RECORD_RESUME) && (site == 0 || site > s->sites))
            r->what = record_pack(0, 0, RECORD_KINDS, 0); /* counted as mismatched */
    }
}
