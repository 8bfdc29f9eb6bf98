#include "fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "fold_nodes.h"
#include "fold_opens.h"
#include "fold_stack.h"

const struct folder_limits folder_default_limits = {.nodes = 16384, .depth = 512, .suspended = UINT32_MAX};

/* The log's pages, which come first: nothing changes without it. */
static bool make_log(struct folder *f)
{
    uint32_t page = word_get(&f->lane->undo_page);
    if (!page) {
        page = f->new_page(f->context, PAGE_UNDO);
        if (!page)
            return false;
        word_put(&f->lane->undo_page, page);
    }
    f->log = segment_page_at(f->base, page);
    return true;
}

static bool make_root(struct folder *f)
{
    struct node *root = nodes_new(f, 0, 0, 0, 0, 0);
    if (!root || !stack_grow(f))
        return false;
    word_put(&f->side->root, segment_ref_of(f->base, root));
    struct entry *e = stack_entry(f, 0);
    _Atomic uint64_t *zero[] = {&e->begin, &e->off_begin, &e->children, &e->off_children};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        word_put(zero[i], 0);
    word_put(&e->node, segment_ref_of(f->base, root));
    f->depth = 0;
    stack_set_top(f);
    word_put(&f->lane->commit, commit_pack(f->tail, 0, f->side_number, 0));
    return true;
}

static void set_limits(struct folder *f, const struct folder_limits *limits)
{
    f->node_limit = limits->nodes;
    f->depth_limit = limits->depth;
    f->suspended_limit = limits->suspended;
}

int folder_init(struct folder *f, void *base, struct lane *lane, const struct folder_limits *limits, folder_new_page *new_page, void *context)
{
    *f = (struct folder){.base = base, .lane = lane, .side = &lane->side[0], .new_page = new_page, .context = context};
    f->mark = commit_pack(0, 0, 0, 1);
    set_limits(f, limits);
    f->items = items_new(base);
    nodes_grow_cache(f);
    if (!f->items || !f->cache || !make_log(f) || !make_root(f)) {
        folder_free(f);
        return -ENOMEM;
    }
    return 0;
}

static void attach_item(struct folder *f, struct item *item)
{
    if (word_get(&item->key))
        items_insert(f->items, item);
}

static void attach_last(struct folder *f, enum page_kind kind)
{
    chain_each_page(page, f->base, word_get(&f->side->chain[kind])) {
        if (!word_get(&page->used))
            break;
        f->last[kind] = page;
    }
}

static void attach_items(struct folder *f)
{
    const _Atomic uint32_t *first = f->side->chain;
    chain_each_item(struct node, n, f->base, word_get(&first[PAGE_NODE])) {
        attach_item(f, &n->item);
        f->nodes++;
    }
    chain_each_item(struct bucket_block, b, f->base, word_get(&first[PAGE_HISTOGRAM]))
        attach_item(f, &b->item);
    chain_each_item(struct suspended, s, f->base, word_get(&first[PAGE_SUSPENDED]))
        if (word_get(&s->node)) {
            attach_item(f, &s->item);
            f->suspended++;
        }
    attach_last(f, PAGE_NODE);
    attach_last(f, PAGE_HISTOGRAM);
    attach_last(f, PAGE_SUSPENDED);
}

int folder_attach(struct folder *f, void *base, struct lane *lane, const struct folder_limits *limits, uint64_t tail, folder_new_page *new_page,
                  void *context)
{
    *f = (struct folder){.base = base, .lane = lane, .new_page = new_page, .context = context, .tail = tail};
    f->side_number = commit_side(word_get(&lane->commit));
    f->side = &lane->side[f->side_number];
    set_limits(f, limits);
    f->items = items_new(base);
    word_put(&lane->undo_page, 0); /* a log of our own: the lane is a copy */
    nodes_grow_cache(f);
    int r = f->items && f->cache && make_log(f) ? stack_attach(f) : -ENOMEM;
    if (r < 0) {
        folder_free(f);
        return r;
    }
    attach_items(f);
    f->own = word_get(&lane->own);
    f->off = word_get(&lane->off);
    f->key = word_get(&lane->key);
    f->audience = identity_pack(0, (uint32_t)word_get(&lane->audience));
    f->depth = commit_depth(word_get(&lane->commit));
    stack_set_top(f);
    /* The target had given up paths: from here on recursion must be told as it tells it. */
    if (word_get(&f->side->other) && !opens_begin(f)) {
        folder_free(f);
        return -ENOMEM;
    }
    return 0;
}

static void empty_chain(struct folder *f, enum page_kind kind)
{
    f->last[kind] = NULL;
    chain_each_page(page, f->base, word_get(&f->side->chain[kind])) {
        word_put(&page->used, 0); /* first: a copy with the new mark has nothing in it */
        word_put(&page->change, 0);
    }
}

void folder_reset(struct folder *f, uint64_t tail, uint32_t audience)
{
    struct lane *l = f->lane;
    items_clear(f->items);
    memset(f->cache, 0, (f->cache_mask + 1) * sizeof *f->cache);
    counts_free(&f->open);
    for (enum page_kind kind = 0; kind < PAGE_KINDS; kind++)
        if (chain_item_size(kind))
            empty_chain(f, kind);
    _Atomic uint64_t *zero[] = {&l->own, &l->off, &l->lost, &l->clamped, &l->mismatched, &l->silent_ends,
                                &l->lost_waits, &l->threads, &l->records};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        word_put(zero[i], 0);
    word_put(&f->side->root, 0);
    word_put(&f->side->other, 0);
    f->depth = 0;
    f->mark = commit_pack(tail, 0, f->side_number, 1); /* no batch before began here */
    word_put(&l->audience, audience);
    f->audience = identity_pack(0, audience);
    f->own = f->off = 0;
    f->kept = f->nodes = f->suspended = f->stack_pages = 0;
    f->free_suspended = 0;
    f->tail = tail;
    make_root(f); /* the first page of each chain is there: cannot fail */
}

void folder_free(struct folder *f)
{
    items_delete(f->items);
    counts_free(&f->open);
    free(f->stack);
    free(f->cache);
    f->items = NULL;
    f->cache = NULL;
    f->stack = NULL;
}

/* Last first: a word that changed twice gets its first value back. */
void folder_undo(void *base, struct lane *lane, const struct undo_word *log)
{
    uint64_t commit = word_get(&lane->commit), count = word_get(&lane->undo_count);
    if (!commit_odd(commit))
        return;
    for (uint64_t i = count < UNDO_WORDS ? count : UNDO_WORDS; i > 0; i--)
        word_put((_Atomic uint64_t *)segment_at(base, (segment_ref)word_get(&log[i - 1].ref)), word_get(&log[i - 1].old));
    word_put(&lane->commit, commit & ~1ull);
}
