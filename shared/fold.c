#include "fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "histogram.h"
#include "item_key.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ENTRIES_PER_PAGE PAGE_ITEMS(struct entry)

const struct folder_limits folder_default_limits = {.nodes = 16384, .depth = 512, .suspended = UINT32_MAX};

static inline struct node *node_at(const struct folder *f, segment_ref ref) { return segment_at(f->base, ref); }

/* ---- batches and their undo log ---- */

/* Opens a batch: from here to batch_end() a reader that finds commit odd puts back what the log says. */
static inline void batch_begin(struct folder *f)
{
    f->base_depth = f->depth;
    f->saved_entries = 0;
    f->logged = 0;
    f->stamp++;
    f->mark = commit_pack(f->tail, f->depth, 1);
    word_put(&f->lane->undo_count, 0);
    word_put(&f->lane->commit, f->mark);
}

static inline void batch_end(struct folder *f) { word_put(&f->lane->commit, commit_pack(f->tail, f->depth, 0)); }

/* Words in a row. Their before-images are complete before they are counted, and counted before a word changes. */
static inline __attribute__((always_inline)) void batch_log(struct folder *f, const _Atomic uint64_t *word, unsigned words)
{
    uint64_t ref = segment_ref_of(f->base, word), count = f->logged + words;
    struct undo_word *u = &f->log[f->logged];
    _Atomic uint64_t *published = &f->lane->undo_count;
    f->logged = count;
    for (unsigned i = 0; i < words; i++) {
        word_put(&u[i].ref, ref + i);
        word_put(&u[i].old, word_get(&word[i]));
    }
    word_put(published, count);
}

/* Before the first store to a page in a batch: readers see by it which pages to copy again. */
static inline void batch_mark(struct folder *f, const void *item)
{
    struct page_header *page = segment_page_of(item);
    if (word_get(&page->change) != f->mark)
        word_put(&page->change, f->mark);
}

/* Any word of the lane or its items, whatever has happened to it in this batch. */
static void batch_change(struct folder *f, _Atomic uint64_t *word, uint64_t value)
{
    batch_log(f, word, 1);
    batch_mark(f, (const void *)word);
    word_put(word, value);
}
static void batch_add(struct folder *f, _Atomic uint64_t *word, uint64_t more) { batch_change(f, word, word_get(word) + more); }

/* ---- pages ---- */

static struct page_header *next_in_chain(struct folder *f, enum page_kind kind)
{
    struct page_header *last = f->last[kind];
    uint32_t next = last ? word_get(&last->next) : word_get(&f->lane->chain[kind]);
    return next ? segment_page_at(f->base, next) : NULL;
}

static struct page_header *pages_add(struct folder *f, enum page_kind kind)
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
            word_put(&f->lane->chain[kind], number);
    }
    f->last[kind] = page;
    return page;
}

/* A new item, a copy of `image`, on a page of its kind; NULL: no memory. Readers look at `used` items only. One that a
 * dead process left without a link to it has nothing in it but its name: it needs no undo. */
static void *pages_new_item(struct folder *f, enum page_kind kind, const void *image)
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

/* ---- nodes ---- */

/* Where to look for a child before asking the hash table: it takes one line instead of three. Sites that are neighbours
 * are neighbours here, which keeps many callees in few lines. */
static inline segment_ref *nodes_remembered(const struct folder *f, segment_ref parent, uint32_t site)
{
    return &f->cache[(parent * 0x9e3779b1u + site) & f->cache_mask];
}

/* Twice as large as there are nodes, up to a limit. What was remembered is found again; without memory it stays small. */
static void nodes_grow_cache(struct folder *f)
{
    uint32_t slots = f->cache ? 2 * (f->cache_mask + 1) : FOLDER_CACHE_MIN;
    segment_ref *more = f->cache && slots > FOLDER_CACHE_MAX ? NULL : calloc(slots, sizeof *more);
    if (!more)
        return;
    free(f->cache);
    f->cache = more;
    f->cache_mask = slots - 1;
}

static struct node *nodes_new(struct folder *f, uint64_t key, uint32_t site, uint32_t caller, segment_ref parent, uint32_t flags)
{
    struct node image = {
        .min = UINT64_MAX,
        .site = site,
        .item.key = key,
        .item.extra = caller,
        .parent = parent,
        .flags = flags,
        .depth = parent ? node_at(f, parent)->depth + 1 : 0,
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

static struct node *nodes_find(const struct folder *f, uint64_t key)
{
    char *item = items_find(f->items, key);
    return item ? (struct node *)(item - offsetof(struct node, item)) : NULL;
}

static struct node *nodes_other(struct folder *f)
{
    segment_ref ref = word_get(&f->lane->other);
    if (ref)
        return node_at(f, ref);
    struct node *n = nodes_new(f, 0, 0, 0, word_get(&f->lane->root), NODE_OTHER);
    if (n)
        word_put(&f->lane->other, segment_ref_of(f->base, n));
    return n;
}

static uint32_t nodes_site(const struct folder *f, segment_ref node) { return node ? node_at(f, node)->site : 0; }

static struct entry *stack_entry(const struct folder *f, uint32_t depth)
{
    return page_item(f->stack[depth / ENTRIES_PER_PAGE], depth % ENTRIES_PER_PAGE, sizeof(struct entry));
}

static uint32_t stack_entries(const struct folder *f) { return f->stack_pages * ENTRIES_PER_PAGE; }

static void opens_add(struct folder *f, uint32_t caller, uint32_t site)
{
    counts_increment(&f->open, key_site(site));
    counts_increment(&f->open, key_pair(caller, site));
}

static void opens_remove(struct folder *f, uint32_t caller, uint32_t site)
{
    counts_decrement(&f->open, key_site(site));
    counts_decrement(&f->open, key_pair(caller, site));
}

/* From now on what is open is counted per site and pair: a flat node cannot tell recursion by its ancestors. */
static bool opens_begin(struct folder *f)
{
    if (f->open.room)
        return true;
    if (!counts_init(&f->open))
        return false;
    for (uint32_t d = 1; d <= f->depth && d < stack_entries(f); d++) {
        segment_ref ref = (segment_ref)word_get(&stack_entry(f, d)->node);
        if (ref)
            opens_add(f, node_caller(node_at(f, ref)), node_at(f, ref)->site);
    }
    return true;
}

/* The flat node of a call whose path is given up. NULL: no memory. */
static struct node *pair_node(struct folder *f, uint32_t caller, uint32_t site)
{
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
    uint64_t key = key_pair_node(caller, site, flags);
    struct node *n = nodes_find(f, key);
    if (!n)
        n = nodes_new(f, key, site, caller, segment_ref_of(f->base, other), flags);
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

/* The node of `site` called from the innermost open call; 0: no memory. */
static __attribute__((noinline)) segment_ref nodes_child_slow(struct folder *f, uint32_t site)
{
    segment_ref parent_ref = f->top_node;
    if (!parent_ref) { /* the caller itself could not be accounted for: what it calls counts as called by its caller */
        struct node *n = pair_node(f, nodes_site(f, accounted_caller(f)), site);
        return n ? segment_ref_of(f->base, n) : 0;
    }
    struct node *parent = node_at(f, parent_ref), *n = NULL;
    bool flat = parent->flags & NODE_PAIR || parent->depth >= f->depth_limit || f->depth >= f->depth_limit;
    if (!flat) {
        n = nodes_find(f, key_node(parent_ref, site));
        if (!n && f->nodes < f->node_limit)
            n = nodes_new(f, key_node(parent_ref, site), site, parent->site, parent_ref, 0);
        if (n)
            *nodes_remembered(f, parent_ref, site) = segment_ref_of(f->base, n);
    }
    if (!n)
        n = pair_node(f, parent->site, site);
    return n ? segment_ref_of(f->base, n) : 0;
}

static inline bool nodes_is_child(const struct folder *f, segment_ref ref, segment_ref parent, uint32_t site)
{
    return ref && node_at(f, ref)->site == site && node_at(f, ref)->parent == parent;
}

static inline segment_ref nodes_child(struct folder *f, uint32_t site)
{
    segment_ref hint = *nodes_remembered(f, f->top_node, site);
    return likely(nodes_is_child(f, hint, f->top_node, site)) ? hint : nodes_child_slow(f, site);
}

/* ---- histogram ---- */

static __attribute__((noinline)) struct bucket_block *totals_block_slow(struct folder *f, struct node *n, unsigned exponent)
{
    uint64_t key = key_block(n->site, exponent);
    struct bucket_block *b = items_find(f->items, key);
    if (!b) {
        struct bucket_block image = {.item.key = key};
        b = pages_new_item(f, PAGE_HISTOGRAM, &image);
        if (!b)
            return NULL;
        items_insert(f->items, &b->item);
    }
    word_set(&n->recent_block[exponent & 1], segment_ref_of(f->base, b));
    return b;
}

static inline struct bucket_block *totals_block(struct folder *f, struct node *n, unsigned exponent)
{
    segment_ref hint = word_get(&n->recent_block[exponent & 1]);
    if (likely(hint)) {
        struct bucket_block *b = segment_at(f->base, hint);
        if (likely((word_get(&b->item.key) & 0xff) == exponent))
            return b;
    }
    return totals_block_slow(f, n, exponent);
}

/* ---- the stack of open calls ---- */

static void stack_set_top(struct folder *f)
{
    if (f->depth >= stack_entries(f)) { /* deeper than there was memory for */
        f->top = stack_entry(f, stack_entries(f) - 1); /* a pointer to count from; a folder just attached has none yet */
        f->top_node = 0;
        f->top_page_end = NULL;
        return;
    }
    f->top = stack_entry(f, f->depth);
    f->top_page_end = stack_entry(f, f->depth / ENTRIES_PER_PAGE * ENTRIES_PER_PAGE) + ENTRIES_PER_PAGE;
    f->top_node = (segment_ref)word_get(&f->top->node);
}

/* Room for one more page in the list of the stack's pages. */
static bool list_room(struct folder *f)
{
    if (f->stack_pages < f->stack_room)
        return true;
    uint32_t room = f->stack_room ? 2 * f->stack_room : 8;
    struct page_header **more = realloc(f->stack, room * sizeof *more);
    if (!more)
        return false;
    f->stack = more;
    f->stack_room = room;
    return true;
}

static bool stack_grow(struct folder *f)
{
    struct page_header *page = list_room(f) ? pages_add(f, PAGE_STACK) : NULL;
    if (!page)
        return false;
    word_put(&page->used, ENTRIES_PER_PAGE);
    f->stack[f->stack_pages++] = page;
    return true;
}

/* The entry above the top; NULL: the call goes on without one, and nothing is added until it has ended. */
static inline struct entry *stack_above(struct folder *f)
{
    if (likely(f->top + 1 < f->top_page_end))
        return f->top + 1;
    if (f->depth + 1 < stack_entries(f))
        return stack_entry(f, f->depth + 1);
    if (f->depth + 1 > stack_entries(f) || !stack_grow(f))
        return NULL;
    return stack_entry(f, f->depth + 1);
}

static inline struct entry *stack_below(const struct folder *f)
{
    return likely(f->depth % ENTRIES_PER_PAGE) ? f->top - 1 : stack_entry(f, f->depth - 1);
}

static inline void stack_push(struct folder *f, struct entry *e, segment_ref node)
{
    f->depth++;
    if (unlikely(e != f->top + 1))
        f->top_page_end = e + ENTRIES_PER_PAGE;
    f->top = e;
    f->top_node = node;
}

static inline void stack_pop(struct folder *f)
{
    f->depth--;
    if (likely((f->depth + 1) % ENTRIES_PER_PAGE && f->depth + 1 < stack_entries(f))) {
        f->top--;
        f->top_node = (segment_ref)word_get(&f->top->node);
    } else
        stack_set_top(f);
}

/* ---- what the end of a call touches, logged once per batch ---- */

static inline bool batch_first_touch(struct folder *f, _Atomic uint32_t *stamp)
{
    if (likely(word_get(stamp) == f->stamp))
        return false;
    word_set(stamp, f->stamp);
    batch_mark(f, (const void *)stamp);
    return true;
}

static inline void totals_touch(struct folder *f, struct node *n)
{
    if (!batch_first_touch(f, &n->stamp))
        return;
    batch_log(f, &n->inclusive, 3); /* children, calls */
}

static __attribute__((noinline)) void stack_save(struct folder *f, const struct entry *e, uint32_t below)
{
    f->saved_entries |= 1ull << below;
    batch_mark(f, e);
    batch_log(f, &e->begin, 5); /* off_begin, children, off_children, node */
    if (!(word_get(&e->node) >> 32 & (ENTRY_KEYED | ENTRY_ENDED))) /* else the rest of the line says something */
        return;
    batch_log(f, &e->key, 3); /* carried, off_carried */
}

/* Entries above the depth at which the batch began are nobody's if it is undone. A batch is shorter than 64 records, so
 * none further down than that is reached by the ends of calls; exit_below logs what it changes. */
static inline void stack_touch(struct folder *f, struct entry *e, uint32_t depth)
{
    uint32_t below = f->base_depth - depth; /* huge when above */
    if (unlikely(below < 64 && !(f->saved_entries >> below & 1)))
        stack_save(f, e, below);
}

/* ---- suspended calls ---- */

static struct suspended *suspended_new(struct folder *f)
{
    struct suspended *s = f->free_suspended ? segment_at(f->base, f->free_suspended) : NULL;
    if (s)
        f->free_suspended = word_get(&s->item.next);
    else if (f->suspended < f->suspended_limit)
        s = pages_new_item(f, PAGE_SUSPENDED, &(struct suspended){.item.key = 0});
    if (s)
        f->suspended++;
    return s;
}

static void suspended_fill(struct folder *f, struct suspended *s, const struct suspended *image)
{
    batch_change(f, &s->item.key, word_get(&image->item.key));
    batch_change(f, &s->carried, word_get(&image->carried));
    batch_change(f, &s->off_carried, word_get(&image->off_carried));
    batch_change(f, &s->since, word_get(&image->since));
    batch_change(f, &s->node, word_get(&image->node));
    items_insert(f->items, &s->item);
}

static void suspended_free(struct folder *f, struct suspended *s)
{
    batch_change(f, &s->node, 0);
    items_remove(f->items, &s->item);
    word_set(&s->item.next, f->free_suspended);
    f->free_suspended = segment_ref_of(f->base, s);
    f->suspended--;
}

/* ---- ENTER and RESUME ---- */

static inline void fill_entry(struct folder *f, struct entry *e, uint64_t t, segment_ref node, uint32_t flags)
{
    stack_touch(f, e, f->depth + 1);
    batch_mark(f, e);
    word_put(&e->begin, t);
    word_put(&e->off_begin, f->off);
    word_put(&e->children, 0);
    word_put(&e->off_children, 0);
    word_put(&e->node, (uint64_t)flags << 32 | node);
}

/* A call for which there is no entry: it is on the stack by its depth alone, and lost when it ends. */
static __attribute__((noinline)) void enter_without_entry(struct folder *f)
{
    f->depth++;
    stack_set_top(f);
}

static inline void entered(struct folder *f, struct entry *e, segment_ref node, segment_ref caller)
{
    if (unlikely(f->open.room && node))
        opens_add(f, caller ? nodes_site(f, caller) : node_caller(node_at(f, node)), node_at(f, node)->site);
    stack_push(f, e, node);
}

static inline void enter_plain(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = stack_above(f);
    if (unlikely(!e)) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = nodes_child(f, site);
    fill_entry(f, e, t, node, 0);
    entered(f, e, node, caller);
}

/* Nothing is amiss where it was not counted. */
static void suspended_end_silently(struct folder *f, struct suspended *s)
{
    if (!(word_get(&s->node) >> 32 & ENTRY_FOREIGN))
        batch_add(f, &f->lane->silent_ends, 1);
    suspended_free(f, s);
}

/* A call whose activation has a key: counted here, since it may end on another path than it began on. A suspended call
 * with the same key ended without an event: its memory was reused (CPython 3.13.0 closes some generators silently). */
static __attribute__((noinline)) void enter_keyed(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = stack_above(f);
    if (!e) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = nodes_child(f, site);
    struct suspended *stale = items_find(f->items, key_suspended(f->key));
    if (node)
        batch_add(f, &node_at(f, node)->calls, 1);
    if (stale)
        suspended_end_silently(f, stale);
    fill_entry(f, e, t, node, ENTRY_KEYED);
    word_put(&e->key, f->key);
    word_put(&e->carried, 0);
    word_put(&e->off_carried, 0);
    entered(f, e, node, caller);
}

/* `moved`: another lane knew it until now, and says what it did there (RECORD_WAITED, RECORD_CARRIED). */
static __attribute__((noinline)) void enter_resume(struct folder *f, uint64_t t, uint32_t site, bool moved)
{
    struct entry *e = stack_above(f);
    if (!e) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = nodes_child(f, site);
    struct suspended *found = items_find(f->items, key_suspended(f->key));
    struct suspended *slot = found && !moved && nodes_site(f, (segment_ref)word_get(&found->node)) == site ? found : NULL;
    uint32_t foreign = slot ? (uint32_t)(word_get(&slot->node) >> 32) & ENTRY_FOREIGN : moved ? 0 : ENTRY_FOREIGN;
    if (slot && node && t > word_get(&slot->since))
        batch_add(f, &node_at(f, node)->waited, t - word_get(&slot->since));
    fill_entry(f, e, t, node, ENTRY_KEYED | foreign);
    word_put(&e->key, f->key);
    word_put(&e->carried, slot ? word_get(&slot->carried) : 0);
    word_put(&e->off_carried, slot ? word_get(&slot->off_carried) : 0);
    if (slot)
        suspended_free(f, slot);
    else if (found) /* its memory was used again: for another function, or on another thread */
        suspended_end_silently(f, found);
    entered(f, e, node, caller);
}

/* What the call on top, just resumed, did on other threads. Without an entry there is nobody to tell. */
static void enter_amend(struct folder *f, unsigned kind, uint64_t ticks)
{
    struct entry *e = f->top;
    if (f->depth >= stack_entries(f))
        return;
    if ((word_get(&e->node) >> 32 & (ENTRY_KEYED | ENTRY_ENDED)) != ENTRY_KEYED)
        batch_add(f, &f->lane->mismatched, 1);
    else if (kind == RECORD_CARRIED)
        batch_add(f, &e->carried, ticks);
    else if (f->top_node)
        batch_add(f, &node_at(f, f->top_node)->waited, ticks);
}

/* The call that waits goes on on another thread, which counts its end; what had no room here was counted as lost. */
static void suspended_take(struct folder *f, uint64_t key, unsigned flags)
{
    struct suspended *s = items_find(f->items, key_suspended(key));
    if (s && flags & RECORD_SILENT)
        suspended_end_silently(f, s);
    else if (s)
        suspended_free(f, s);
}

/* ---- EXIT and SUSPEND ---- */

/* Ticks from a to b; a clock that steps back gives 0 and is counted. */
static inline uint64_t stretch_ticks(struct folder *f, uint64_t a, uint64_t b)
{
    if (likely(b >= a))
        return b - a;
    batch_add(f, &f->lane->clamped, 1);
    return 0;
}

/* What the end of a stretch on the stack adds where. */
struct stretch {
    struct node *node;
    struct entry *receiver;    /* has this time among its callees' */
    uint64_t elapsed, off;     /* off: of it not on the CPU */
    uint64_t inner, off_inner; /* of them in callees */
};

static inline void batch_bump(_Atomic uint64_t *word, uint64_t more) { word_put(word, word_get(word) + more); }

static inline void stretch_add(struct folder *f, const struct stretch *x)
{
    totals_touch(f, x->node);
    batch_bump(&x->receiver->children, x->elapsed);
    batch_bump(&x->node->inclusive, x->elapsed);
    if (x->inner)
        batch_bump(&x->node->children, x->inner);
    if (unlikely(x->off | x->off_inner)) {
        batch_bump(&x->receiver->off_children, x->off);
        batch_add(f, &x->node->off_inclusive, x->off);
        batch_add(f, &x->node->off_children, x->off_inner);
    }
}

/* The same without a receiver, by the log: whatever has happened to the node in this batch. */
static void add_path_time(struct folder *f, struct node *n, uint64_t elapsed, uint64_t inner, uint64_t off, uint64_t off_inner)
{
    batch_add(f, &n->inclusive, elapsed);
    batch_add(f, &n->children, inner);
    batch_add(f, &n->off_inclusive, off);
    batch_add(f, &n->off_children, off_inner);
}

static __attribute__((noinline)) void totals_add_extremes(struct folder *f, struct node *n, uint64_t duration)
{
    if (duration < word_get(&n->min))
        batch_change(f, &n->min, duration);
    if (duration > word_get(&n->max))
        batch_change(f, &n->max, duration);
}

static inline __attribute__((always_inline)) void totals_add_duration(struct folder *f, struct node *n, uint64_t duration)
{
    unsigned exponent = histogram_exponent(duration);
    struct bucket_block *block = totals_block(f, n, exponent);
    if (unlikely(duration < word_get(&n->min) || duration > word_get(&n->max)))
        totals_add_extremes(f, n, duration);
    if (unlikely(!block))
        return;
    _Atomic uint64_t *count = &block->count[histogram_step(duration, exponent)];
    batch_first_touch(f, &block->item.extra);
    batch_log(f, count, 1);
    batch_bump(count, 1);
}

static void totals_add_flags(struct folder *f, struct node *n, unsigned flags)
{
    if (flags & RECORD_RAISED)
        batch_add(f, &n->raised, 1);
    if (flags & RECORD_CUT)
        batch_add(f, &n->cut, 1);
}

static inline struct stretch stretch_of_top(struct folder *f, uint64_t t)
{
    const struct entry *e = f->top;
    return (struct stretch){
        .node = node_at(f, f->top_node),
        .receiver = stack_below(f),
        .elapsed = stretch_ticks(f, word_get(&e->begin), t),
        .off = f->off - word_get(&e->off_begin),
        .inner = word_get(&e->children),
        .off_inner = word_get(&e->off_children),
    };
}

static inline void exit_ended(struct folder *f, const struct node *n)
{
    if (unlikely(f->open.room))
        opens_remove(f, node_caller(n), n->site);
    stack_pop(f);
}

/* A plain call ends on top of the stack. */
static inline void exit_plain(struct folder *f, uint64_t t, unsigned flags)
{
    struct stretch x = stretch_of_top(f, t);
    stack_touch(f, x.receiver, f->depth - 1);
    stretch_add(f, &x);
    batch_bump(&x.node->calls, 1);
    if (unlikely(flags))
        totals_add_flags(f, x.node, flags);
    if (likely(!(flags & RECORD_CUT)))
        totals_add_duration(f, x.node, x.elapsed);
    exit_ended(f, x.node);
}

/* Is `end` the record that ends the call that `begin` begins, on top of this many open ones? */
static inline bool is_leaf(uint64_t begin, uint64_t end, uint32_t depth)
{
    return end == begin + ((uint64_t)(RECORD_EXIT - RECORD_ENTER) << 48) && begin >> 32 == record_pack(0, depth + 1, RECORD_ENTER, 0) >> 32;
}

/* Calls without callees, one after the other: both records of each are folded at once, no entry is made. Returns how many
 * records that were; 0: none is of the kind. */
static inline uint64_t leaves(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t tail, uint64_t stop)
{
    uint64_t sum = 0, last = 0, i = tail;
    struct node *n = NULL;
    for (; i + 1 < stop; i += 2) {
        const struct slot *begin = &ring[i & mask], *end = &ring[(i + 1) & mask];
        uint64_t what = word_get(&begin->what), since = word_get(&begin->when), until = word_get(&end->when);
        if (!is_leaf(what, word_get(&end->what), f->depth) || unlikely(until < since || !f->top_page_end))
            break; /* the long way counts what is odd */
        if (what != last) {
            segment_ref ref = nodes_child(f, record_site(what));
            if (unlikely(!ref))
                break;
            n = node_at(f, ref);
            totals_touch(f, n);
            last = what;
        }
        batch_bump(&n->inclusive, until - since);
        batch_bump(&n->calls, 1);
        totals_add_duration(f, n, until - since);
        sum += until - since;
    }
    if (sum) {
        stack_touch(f, f->top, f->depth);
        batch_bump(&f->top->children, sum);
    }
    return i - tail;
}

/* The call on top has no node or no entry: its callees' time goes to its caller, its own stays the caller's, and it is
 * counted as lost. */
static __attribute__((noinline)) void end_lost(struct folder *f)
{
    batch_add(f, &f->lane->lost, 1);
    if (f->depth < stack_entries(f)) {
        struct entry *below = stack_below(f);
        stack_touch(f, below, f->depth - 1);
        batch_bump(&below->children, word_get(&f->top->children));
        batch_bump(&below->off_children, word_get(&f->top->off_children));
    }
    if (f->top_node)
        exit_ended(f, node_at(f, f->top_node));
    else
        stack_pop(f);
}

/* A call waits since its stack is left for another one: a plain one is a keyed one from here on, counted as begun. */
static __attribute__((noinline)) void become_keyed(struct folder *f)
{
    struct entry *e = f->top;
    uint64_t word = word_get(&e->node);
    if (!(word >> 32 & ENTRY_KEYED)) {
        batch_add(f, &node_at(f, f->top_node)->calls, 1);
        batch_change(f, &e->carried, 0);
        batch_change(f, &e->off_carried, 0);
        batch_change(f, &e->node, word | (uint64_t)ENTRY_KEYED << 32);
    }
    batch_change(f, &e->key, f->key);
}

/* A keyed call ends, or waits. It was counted when it began; its duration is all it ran. */
static __attribute__((noinline)) void end_keyed(struct folder *f, uint64_t t, unsigned flags, bool waits)
{
    struct stretch x = stretch_of_top(f, t);
    struct entry *e = f->top;
    struct suspended *slot = waits ? suspended_new(f) : NULL;
    uint64_t word = word_get(&e->node), carried = word_get(&e->carried) + x.elapsed;
    bool foreign = word >> 32 & ENTRY_FOREIGN;
    stack_touch(f, x.receiver, f->depth - 1);
    stretch_add(f, &x);
    totals_add_flags(f, x.node, foreign ? 0 : flags); /* what was not counted as begun neither is open nor raised */
    if (!waits && !(flags & RECORD_CUT) && !foreign)
        totals_add_duration(f, x.node, carried);
    if (waits && !slot) /* it will come back as foreign: counted, its duration unknown */
        batch_add(f, &f->lane->lost_waits, 1);
    if (slot) {
        const struct suspended image = {
            .item.key = key_suspended(word_get(&e->key)), .carried = carried, .off_carried = word_get(&e->off_carried) + x.off, .since = t, .node = word};
        suspended_fill(f, slot, &image);
    }
    exit_ended(f, x.node);
}

/* A block that was left while calls begun after it are still open (blocks of two tasks interleave). Its time up to the
 * next entry is its own and its callees'; from there on it is theirs. Its entry stays, keeps both apart, and passes them
 * on when it is dropped: so an outer block that is left meanwhile does not take them for time before its own next entry. */
static __attribute__((noinline)) void exit_below(struct folder *f, uint64_t t, uint32_t depth, unsigned flags)
{
    struct entry *e = stack_entry(f, depth), *next = stack_entry(f, depth + 1);
    uint64_t word = word_get(&e->node), ran = 0, elapsed = 0, off = 0;
    bool keyed = word >> 32 & ENTRY_KEYED, foreign = word >> 32 & ENTRY_FOREIGN;
    if (word >> 32 & ENTRY_ENDED) {
        batch_add(f, &f->lane->mismatched, 1);
        return;
    }
    if ((segment_ref)word) {
        struct node *n = node_at(f, (segment_ref)word);
        elapsed = stretch_ticks(f, word_get(&e->begin), word_get(&next->begin));
        off = word_get(&next->off_begin) - word_get(&e->off_begin);
        add_path_time(f, n, elapsed, word_get(&e->children), off, word_get(&e->off_children));
        if (!keyed)
            batch_add(f, &n->calls, 1);
        ran = keyed ? word_get(&e->carried) : 0;
        totals_add_flags(f, n, foreign ? 0 : flags);
        if (!(flags & RECORD_CUT) && !foreign)
            totals_add_duration(f, n, ran + (t > word_get(&e->begin) ? t - word_get(&e->begin) : 0));
        batch_change(f, &e->children, 0);
        batch_change(f, &e->off_children, 0);
    } else
        batch_add(f, &f->lane->lost, 1);
    batch_change(f, &e->carried, elapsed);
    batch_change(f, &e->off_carried, off);
    batch_change(f, &e->node, word | (uint64_t)ENTRY_ENDED << 32);
}

/* The entry on top ended out of order before: its own time and that of the calls that outlived it go down. The latter
 * becomes part of its path's time, so that a path has never less than its callees. */
static void exit_drop_ended(struct folder *f)
{
    const struct entry *e = f->top;
    struct entry *below = stack_below(f);
    uint64_t later = word_get(&e->children), off_later = word_get(&e->off_children);
    batch_add(f, &below->children, word_get(&e->carried) + later);
    batch_add(f, &below->off_children, word_get(&e->off_carried) + off_later);
    if (!f->top_node) {
        stack_pop(f);
        return;
    }
    struct node *n = node_at(f, f->top_node);
    add_path_time(f, n, later, later, off_later, off_later);
    exit_ended(f, n);
}

static __attribute__((noinline)) void exit_drop(struct folder *f, uint16_t depth)
{
    if (f->depth == 0 || depth != (uint16_t)f->depth)
        batch_add(f, &f->lane->mismatched, 1);
    else if (f->depth < stack_entries(f) && word_get(&f->top->node) >> 32 & ENTRY_ENDED)
        exit_drop_ended(f);
    else
        end_lost(f); /* there was no room to take note of its end */
}

static __attribute__((noinline)) void exit_any(struct folder *f, uint64_t t, uint64_t what)
{
    unsigned flags = record_flags(what);
    bool waits = record_kind(what) == RECORD_SUSPEND;
    uint32_t above = (uint16_t)(f->depth - record_depth(what)); /* calls above the one that ends */
    if (above >= f->depth) {
        batch_add(f, &f->lane->mismatched, 1);
    } else if (above) {
        if (waits || f->depth >= stack_entries(f))
            batch_add(f, &f->lane->mismatched, 1);
        else
            exit_below(f, t, f->depth - above, flags);
    } else if (!f->top_node) {
        end_lost(f);
    } else if (nodes_site(f, f->top_node) != record_site(what) || (word_get(&f->top->node) >> 32) & ENTRY_ENDED) {
        batch_add(f, &f->lane->mismatched, 1);
    } else if ((word_get(&f->top->node) >> 32) & ENTRY_KEYED || (waits && flags & RECORD_KEYED)) {
        if (waits && flags & RECORD_KEYED)
            become_keyed(f);
        end_keyed(f, t, flags, waits);
    } else if (waits) {
        batch_add(f, &f->lane->mismatched, 1);
    } else {
        exit_plain(f, t, flags);
    }
}

/* ---- records ---- */

static inline void end(struct folder *f, uint64_t t, uint64_t what)
{
    /* The whole second word of a plain end on top: site, depth, kind, no flags. */
    segment_ref top = f->top_node;
    bool plain = top && what == record_pack(node_at(f, top)->site, f->depth, RECORD_EXIT, 0) && !(word_get(&f->top->node) >> 32);
    if (likely(plain && f->depth))
        exit_plain(f, t, 0);
    else
        exit_any(f, t, what);
}

static void advance_clock(struct folder *f, uint64_t *clock, _Atomic uint64_t *word, uint64_t ticks)
{
    *clock += ticks;
    batch_change(f, word, *clock);
}

static __attribute__((noinline)) void fold_other(struct folder *f, uint64_t when, uint64_t what)
{
    switch (record_kind(what)) {
    case RECORD_ENTER:
        enter_keyed(f, when - f->own, record_site(what));
        return;
    case RECORD_EXIT:
    case RECORD_SUSPEND:
        exit_any(f, when - f->own, what);
        return;
    case RECORD_RESUME:
        enter_resume(f, when - f->own, record_site(what), record_flags(what) & RECORD_MOVED);
        return;
    case RECORD_KEY:
        f->key = when;
        batch_change(f, &f->lane->key, when);
        return;
    case RECORD_OFF_CPU:
        advance_clock(f, &f->off, &f->lane->off, record_duration(what));
        return;
    case RECORD_OWN:
        advance_clock(f, &f->own, &f->lane->own, record_duration(what));
        return;
    case RECORD_DROP:
        exit_drop(f, record_depth(what));
        return;
    case RECORD_TAKEN:
        suspended_take(f, f->key, record_flags(what));
        return;
    case RECORD_WAITED:
    case RECORD_CARRIED:
        enter_amend(f, record_kind(what), record_duration(what));
        return;
    case RECORD_NONE:
        return;
    default:
        batch_add(f, &f->lane->mismatched, 1);
        return;
    }
}

/* No record logs more: eight words of an entry (its receiver's, or the one it overwrites), a suspended call's five and the
 * one it frees, a node's three and six more, a count, and some of the lane's. */
#define LOG_PER_RECORD 32u
_Static_assert(FOLDER_BATCH < 64, "saved_entries has a bit for each level a batch can end");
_Static_assert(FOLDER_BATCH * LOG_PER_RECORD <= UNDO_WORDS, "a batch fits the log");

static void run_batch(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t stop)
{
    uint64_t tail = f->tail;
    batch_begin(f);
    while (tail < stop) {
        const struct slot *r = &ring[tail & mask];
        uint64_t when = word_get(&r->when), what = word_get(&r->what), plain = what >> 48; /* kind and flags */
        if (plain == RECORD_ENTER) {
            uint64_t folded = leaves(f, ring, mask, tail, stop);
            if (folded) {
                tail += folded;
                continue;
            }
            enter_plain(f, when - f->own, record_site(what));
        } else if (plain == RECORD_EXIT)
            end(f, when - f->own, what);
        else
            fold_other(f, when, what);
        tail++;
    }
    f->tail = tail;
    batch_end(f);
}

void folder_run(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t count)
{
    for (uint64_t stop = f->tail + count; f->tail < stop;) {
        uint64_t left = stop - f->tail;
        run_batch(f, ring, mask, f->tail + (left < FOLDER_BATCH ? left : FOLDER_BATCH));
    }
}

void folder_cut(struct folder *f, uint64_t when)
{
    batch_begin(f);
    if (f->depth >= stack_entries(f)) {
        batch_add(f, &f->lane->lost, f->depth - (stack_entries(f) - 1));
        f->depth = stack_entries(f) - 1;
        stack_set_top(f);
    } else if (word_get(&f->top->node) >> 32 & ENTRY_ENDED)
        exit_drop_ended(f);
    else
        exit_any(f, when - f->own, record_pack(nodes_site(f, f->top_node), f->depth, RECORD_EXIT, RECORD_CUT));
    f->tail++;
    batch_end(f);
}

/* ---- merging ---- */

static struct node *merge_target(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat)
{
    const struct node *p = parent ? node_at(f, parent) : NULL;
    if (!(from->flags & NODE_PAIR) && p && !(p->flags & NODE_PAIR) && p->depth < f->depth_limit) {
        struct node *n = nodes_find(f, key_node(parent, from->site));
        if (!n && f->nodes < f->node_limit)
            n = nodes_new(f, key_node(parent, from->site), from->site, node_caller(from), parent, 0);
        if (n)
            return n;
    }
    struct node *other = nodes_other(f);
    uint64_t key = key_pair_node(node_caller(from), from->site, flat);
    struct node *n = nodes_find(f, key);
    return n || !other ? n : nodes_new(f, key, from->site, node_caller(from), segment_ref_of(f->base, other), flat);
}

segment_ref folder_merge_node(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat)
{
    batch_begin(f);
    struct node *n = from ? merge_target(f, parent, from, flat) : NULL;
    if (n) {
        batch_add(f, &n->inclusive, word_get(&from->inclusive));
        batch_add(f, &n->children, word_get(&from->children));
        batch_add(f, &n->calls, word_get(&from->calls));
        batch_add(f, &n->waited, word_get(&from->waited));
        batch_add(f, &n->off_inclusive, word_get(&from->off_inclusive));
        batch_add(f, &n->off_children, word_get(&from->off_children));
        batch_add(f, &n->raised, word_get(&from->raised));
        batch_add(f, &n->cut, word_get(&from->cut));
        if (word_get(&from->min) < word_get(&n->min))
            batch_change(f, &n->min, word_get(&from->min));
        if (word_get(&from->max) > word_get(&n->max))
            batch_change(f, &n->max, word_get(&from->max));
    } else if (from)
        batch_add(f, &f->lane->lost, word_get(&from->calls));
    f->tail++;
    batch_end(f);
    return n ? segment_ref_of(f->base, n) : 0;
}

void folder_merge_block(struct folder *f, const struct bucket_block *from)
{
    uint64_t key = word_get(&from->item.key);
    batch_begin(f);
    struct bucket_block *b = items_find(f->items, key), image = {.item.key = key};
    if (!b) {
        b = pages_new_item(f, PAGE_HISTOGRAM, &image);
        if (b)
            items_insert(f->items, &b->item);
    }
    for (unsigned i = 0; b && i < HISTOGRAM_STEPS; i++)
        if (word_get(&from->count[i]))
            batch_add(f, &b->count[i], word_get(&from->count[i]));
    f->tail++;
    batch_end(f);
}

/* One that finds no room stays open for ever: lost, for nobody can say when it ends. */
void folder_merge_suspended(struct folder *f, segment_ref node, const struct suspended *from)
{
    batch_begin(f);
    struct suspended *s = node ? suspended_new(f) : NULL;
    if (s)
        suspended_fill(f, s, &(struct suspended){
            .item.key = word_get(&from->item.key),
            .carried = word_get(&from->carried),
            .off_carried = word_get(&from->off_carried),
            .since = word_get(&from->since),
            .node = node | (uint64_t)ENTRY_KEYED << 32,
        });
    else if (node) {
        batch_add(f, &node_at(f, node)->cut, 1);
        batch_add(f, &f->lane->lost_waits, 1);
    }
    f->tail++;
    batch_end(f);
}

void folder_take(struct folder *f, uint64_t key, unsigned flags)
{
    batch_begin(f);
    suspended_take(f, key, flags);
    f->tail++;
    batch_end(f);
}

void folder_merge_counters(struct folder *f, const struct lane *from)
{
    struct lane *l = f->lane;
    batch_begin(f);
    batch_add(f, &l->own, word_get(&from->own));
    batch_add(f, &l->off, word_get(&from->off));
    batch_add(f, &l->lost, word_get(&from->lost));
    batch_add(f, &l->clamped, word_get(&from->clamped));
    batch_add(f, &l->mismatched, word_get(&from->mismatched));
    batch_add(f, &l->silent_ends, word_get(&from->silent_ends));
    batch_add(f, &l->lost_waits, word_get(&from->lost_waits));
    batch_add(f, &l->threads, lane_recorded(f->base, from, word_get(&from->head)));
    batch_add(f, &l->records, word_get(&from->head) - word_get(&from->first));
    f->tail++;
    batch_end(f);
}

/* ---- life of a folder ---- */

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
    word_put(&f->lane->root, segment_ref_of(f->base, root));
    struct entry *e = stack_entry(f, 0);
    _Atomic uint64_t *zero[] = {&e->begin, &e->off_begin, &e->children, &e->off_children};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        word_put(zero[i], 0);
    word_put(&e->node, segment_ref_of(f->base, root));
    f->depth = 0;
    stack_set_top(f);
    word_put(&f->lane->commit, commit_pack(f->tail, 0, 0));
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
    *f = (struct folder){.base = base, .lane = lane, .new_page = new_page, .context = context, .mark = commit_pack(0, 0, 1)};
    set_limits(f, limits);
    f->items = items_new(base);
    nodes_grow_cache(f);
    if (!f->items || !f->cache || !make_log(f) || !make_root(f)) {
        folder_free(f);
        return -ENOMEM;
    }
    return 0;
}

static int stack_attach(struct folder *f)
{
    chain_each_page(page, f->base, word_get(&f->lane->chain[PAGE_STACK])) {
        if (!word_get(&page->used))
            break;
        if (!list_room(f))
            return -ENOMEM;
        f->stack[f->stack_pages++] = page;
        f->last[PAGE_STACK] = page;
    }
    return f->stack_pages ? 0 : -EINVAL;
}

static void attach_item(struct folder *f, struct item *item)
{
    if (word_get(&item->key))
        items_insert(f->items, item);
}

static void attach_last(struct folder *f, enum page_kind kind)
{
    chain_each_page(page, f->base, word_get(&f->lane->chain[kind])) {
        if (!word_get(&page->used))
            break;
        f->last[kind] = page;
    }
}

static void attach_items(struct folder *f)
{
    const _Atomic uint32_t *first = f->lane->chain;
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

int folder_attach(struct folder *f, void *base, struct lane *lane, uint64_t tail, folder_new_page *new_page, void *context)
{
    *f = (struct folder){.base = base, .lane = lane, .new_page = new_page, .context = context, .tail = tail};
    set_limits(f, &folder_default_limits);
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
    f->depth = commit_depth(word_get(&lane->commit));
    stack_set_top(f);
    /* The target had given up paths: from here on recursion must be told as it tells it. */
    if (word_get(&lane->other) && !opens_begin(f)) {
        folder_free(f);
        return -ENOMEM;
    }
    return 0;
}

static void empty_chain(struct folder *f, enum page_kind kind)
{
    f->last[kind] = NULL;
    chain_each_page(page, f->base, word_get(&f->lane->chain[kind])) {
        word_put(&page->used, 0); /* first: a copy with the new mark has nothing in it */
        word_put(&page->change, 0);
    }
}

void folder_reset(struct folder *f, uint64_t tail)
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
    word_put(&l->root, 0);
    word_put(&l->other, 0);
    f->depth = 0;
    f->mark = commit_pack(tail, 0, 1); /* no batch before began here */
    f->own = f->off = 0;
    f->nodes = f->suspended = f->stack_pages = 0;
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
