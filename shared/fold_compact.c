/* Compaction: the tree anew, without what is nobody's any more and with one node where several say the same. It is built on the
 * side of the lane that commit does not name (segment.h, struct lane): no reader looks there, so nothing of this is logged, and
 * who dies in the middle of it leaves the tree as it was. */
#include "fold.h"

#include <stdlib.h>

#include "chain.h"
#include "deviation.h"
#include "fold_batch.h"
#include "fold_nodes.h"
#include "fold_pages.h"
#include "fold_stack.h"

struct compaction {
    struct folder *from, to; /* `to` folds when all is done */
    const uint8_t *audience; /* by number: what it is from now on; 0: nobody's */
};

static uint32_t renamed(const struct compaction *c, uint32_t identity)
{
    return identity_pack(identity_site(identity), c->audience[identity_audience(identity)]);
}

/* ---- what is needed: what somebody sees, what is open or waits, and what that is called from ---- */

/* Marked in the hint of whoever walks the tree. */
static void need(const struct folder *f, segment_ref ref)
{
    while (ref && !word_get(&nodes_at(f, ref)->scratch)) {
        word_set(&nodes_at(f, ref)->scratch, 1);
        ref = nodes_at(f, ref)->parent;
    }
}

static uint32_t entries_in_use(const struct folder *f) { return f->depth < stack_entries(f) ? f->depth + 1 : stack_entries(f); }

static void find_needed(const struct compaction *c)
{
    struct folder *f = c->from;
    chain_each_item(struct node, n, f->base, word_get(&f->side->chain[PAGE_NODE]))
        word_set(&n->scratch, 0);
    need(f, word_get(&f->side->root));
    chain_each_item(struct node, n, f->base, word_get(&f->side->chain[PAGE_NODE]))
        if (identity_audience(renamed(c, n->identity)) || n->flags & NODE_PAIR) /* nobody knows whose time a pair's would be */
            need(f, segment_ref_of(f->base, n));
    for (uint32_t d = 0; d < entries_in_use(f); d++)
        need(f, (segment_ref)word_get(&stack_entry(f, d)->node));
    chain_each_item(struct suspended, s, f->base, word_get(&f->side->chain[PAGE_SUSPENDED]))
        need(f, (segment_ref)word_get(&s->node));
}

/* ---- nodes: parents come before children, on both sides ---- */

static void add(_Atomic uint64_t *to, uint64_t more) { word_put(to, word_get(to) + more); }

/* A call that is nobody's has a time still, for those around it. */
static void add_sums(struct node *to, const struct node *from)
{
    add(&to->inclusive, word_get(&from->inclusive));
    add(&to->children, word_get(&from->children));
    add(&to->off_inclusive, word_get(&from->off_inclusive));
    add(&to->off_children, word_get(&from->off_children));
    bool nobodys = !node_audience(to) && node_site(to);
    add(&to->unended, word_get(nobodys ? &from->inclusive : &from->unended));
    if (nobodys)
        return;
    add(&to->calls, word_get(&from->calls));
    add(&to->waited, word_get(&from->waited));
    add(&to->raised, word_get(&from->raised));
    add(&to->cut, word_get(&from->cut));
    add(&to->bytes, word_get(&from->bytes));
    add(&to->apart, word_get(&from->apart));
    uint128 squares = node_squares(to) + node_squares(from);
    word_put(&to->squares[0], (uint64_t)squares);
    word_put(&to->squares[1], (uint64_t)(squares >> 64));
}

static struct node *keyed_node(struct compaction *c, const struct node *n, uint64_t key, segment_ref parent)
{
    struct node *target = nodes_find(&c->to, key);
    return target ? target : nodes_new(&c->to, key, renamed(c, n->identity), node_caller(n), parent, n->flags);
}

/* Its node on the other side; NULL: no memory. */
static struct node *target_of(struct compaction *c, const struct node *n)
{
    segment_ref parent = n->parent ? word_get(&nodes_at(c->from, n->parent)->scratch) : 0;
    uint32_t identity = renamed(c, n->identity);
    if (n->flags & NODE_OTHER)
        return nodes_other(&c->to);
    if (n->flags & NODE_PAIR)
        return keyed_node(c, n, key_pair_node(node_caller(n), identity, n->flags), parent);
    if (parent)
        return keyed_node(c, n, key_node(parent, identity), parent);
    struct node *root = nodes_new(&c->to, 0, 0, 0, 0, 0);
    if (root)
        word_put(&c->to.side->root, segment_ref_of(c->to.base, root));
    return root;
}

/* Its caller has its time for itself: whoever sees that one, sees no difference. Where the caller is open, what its callees took may
 * become less than nothing, until its own time is added. The root has no time. */
static void leave_behind(struct compaction *c, const struct node *n)
{
    segment_ref parent = word_get(&nodes_at(c->from, n->parent)->scratch);
    if (!parent || n->parent == word_get(&c->from->side->root))
        return;
    add(&nodes_at(&c->to, parent)->children, -word_get(&n->inclusive));
    add(&nodes_at(&c->to, parent)->off_children, -word_get(&n->off_inclusive));
}

static bool move_nodes(struct compaction *c)
{
    chain_each_item(struct node, n, c->from->base, word_get(&c->from->side->chain[PAGE_NODE])) {
        if (!word_get(&n->scratch)) {
            leave_behind(c, n);
            continue;
        }
        struct node *target = target_of(c, n);
        if (!target)
            return false;
        batch_mark(&c->to, target);
        add_sums(target, n);
        word_set(&n->scratch, segment_ref_of(c->to.base, target));
    }
    return true;
}

/* ---- the rest ---- */

static void add_counts(struct bucket_block *to, const struct bucket_block *from)
{
    if (word_get(&from->min) < word_get(&to->min))
        word_put(&to->min, word_get(&from->min));
    if (word_get(&from->max) > word_get(&to->max))
        word_put(&to->max, word_get(&from->max));
    for (unsigned i = 0; i < sizeof from->count / sizeof *from->count; i++)
        add(&to->count[i], word_get(&from->count[i]));
}

static bool move_blocks(struct compaction *c)
{
    chain_each_item(struct bucket_block, b, c->from->base, word_get(&c->from->side->chain[PAGE_HISTOGRAM])) {
        uint64_t key = word_get(&b->item.key);
        uint32_t identity = renamed(c, key_block_identity(key));
        struct bucket_block image = {.item.key = key_block(identity, key_block_range(key)), .min = UINT64_MAX};
        if (!identity_audience(identity))
            continue;
        struct bucket_block *target = items_find(c->to.items, image.item.key);
        if (!target) {
            target = pages_new_item(&c->to, PAGE_HISTOGRAM, &image);
            if (!target)
                return false;
            items_insert(c->to.items, &target->item);
        }
        batch_mark(&c->to, target);
        add_counts(target, b);
    }
    return true;
}

/* Where a call is, in the words of an entry. */
static uint64_t moved(const struct compaction *c, uint64_t word)
{
    segment_ref ref = (segment_ref)word;
    return ref ? (word & ~(uint64_t)UINT32_MAX) | word_get(&nodes_at(c->from, ref)->scratch) : word;
}

static bool move_suspended(struct compaction *c)
{
    chain_each_item(struct suspended, s, c->from->base, word_get(&c->from->side->chain[PAGE_SUSPENDED])) {
        struct suspended image = {
            .item.key = word_get(&s->item.key),
            .node = moved(c, word_get(&s->node)),
            .carried = word_get(&s->carried),
            .waited = word_get(&s->waited),
            .since = word_get(&s->since),
        };
        if (!image.node)
            continue;
        struct suspended *target = pages_new_item(&c->to, PAGE_SUSPENDED, &image);
        if (!target)
            return false;
        items_insert(c->to.items, &target->item);
        c->to.suspended++;
    }
    return true;
}

/* As many pages, too: which calls have an entry must not change. */
static bool move_stack(struct compaction *c)
{
    while (c->to.stack_pages < c->from->stack_pages)
        if (!stack_grow(&c->to))
            return false;
    for (uint32_t d = 0; d < entries_in_use(c->from); d++) {
        const _Atomic uint64_t *from = (const _Atomic uint64_t *)stack_entry(c->from, d);
        struct entry *e = stack_entry(&c->to, d);
        batch_mark(&c->to, e);
        for (unsigned i = 0; i < sizeof *e / 8; i++)
            word_put((_Atomic uint64_t *)e + i, word_get(from + i));
        word_put(&e->node, moved(c, word_get(&stack_entry(c->from, d)->node)));
    }
    return true;
}

/* ---- the whole ---- */

/* The marks first: a reader that copied one of these pages when it was in use must not take it for that any more. */
static void empty_side(struct folder *f)
{
    for (enum page_kind kind = 0; kind < PAGE_KINDS; kind++)
        if (chain_item_size(kind))
            chain_each_page(page, f->base, word_get(&f->side->chain[kind])) {
                word_put(&page->change, f->mark);
                word_put(&page->used, 0);
            }
    word_put(&f->side->root, 0);
    word_put(&f->side->other, 0);
}

/* A folder with the same limits and clocks and an empty tree. */
static bool begin_other_side(struct folder *to, const struct folder *f)
{
    *to = *f;
    to->side_number = !f->side_number;
    to->side = &f->lane->side[to->side_number];
    to->mark = commit_pack(f->tail, f->depth, to->side_number, 1);
    to->items = items_new(f->base);
    to->cache = NULL;
    to->stack = NULL;
    to->open = (struct counts){.room = 0};
    to->cache_mask = to->nodes = to->suspended = to->stack_pages = to->stack_room = 0;
    to->free_suspended = 0;
    for (enum page_kind kind = 0; kind < PAGE_KINDS; kind++)
        to->last[kind] = NULL;
    nodes_grow_cache(to);
    if (to->items && to->cache)
        empty_side(to);
    return to->items && to->cache;
}

/* What is known of open sites and pairs knows no audience: it stays. */
static void turn_over(struct folder *f, struct folder *to)
{
    to->open = f->open;
    f->open = (struct counts){.room = 0};
    folder_free(f);
    *f = *to;
    f->kept = f->nodes;
    stack_set_top(f);
}

bool folder_compact(struct folder *f, const uint8_t audience[SEGMENT_AUDIENCES])
{
    struct compaction c = {.from = f, .audience = audience};
    bool done = begin_other_side(&c.to, f);
    if (done) {
        find_needed(&c);
        done = move_nodes(&c) && move_blocks(&c) && move_suspended(&c) && move_stack(&c);
    }
    if (done)
        turn_over(f, &c.to);
    else
        folder_free(&c.to);
    f->tail++;
    batch_end(f);
    return done;
}

bool folder_can_compact(const struct folder *f, const uint8_t audience[SEGMENT_AUDIENCES])
{
    bool used[SEGMENT_AUDIENCES] = {false};
    folder_audiences(f, used);
    for (unsigned i = 1; i < SEGMENT_AUDIENCES; i++)
        if (used[i] && audience[i] != i)
            return true;
    return false;
}

void folder_audiences(const struct folder *f, bool used[SEGMENT_AUDIENCES])
{
    chain_each_item(struct node, n, f->base, word_get(&f->side->chain[PAGE_NODE]))
        used[node_audience(n)] = true;
    chain_each_item(struct bucket_block, b, f->base, word_get(&f->side->chain[PAGE_HISTOGRAM]))
        used[identity_audience(key_block_identity(word_get(&b->item.key)))] = true;
}
