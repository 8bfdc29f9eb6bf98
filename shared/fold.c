#include "fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ENTRIES_PER_PAGE PAGE_ITEMS(struct entry)

const struct folder_limits folder_default_limits = {.nodes = 16384, .depth = 512, .suspended = 65536};

/* Everything a reader may see is stored with release: pairs with the acquire loads of snapshot.c (copy_words). */
static inline void put(_Atomic uint64_t *p, uint64_t v) { atomic_store_explicit(p, v, memory_order_release); }
static inline uint64_t get(const _Atomic uint64_t *p) { return atomic_load_explicit(p, memory_order_relaxed); }
static inline void put32(_Atomic uint32_t *p, uint32_t v) { atomic_store_explicit(p, v, memory_order_release); }
static inline uint32_t get32(const _Atomic uint32_t *p) { return atomic_load_explicit(p, memory_order_relaxed); }

/* What only the owner looks at, though readers copy it. */
static inline void hint_set(_Atomic uint32_t *p, uint32_t v) { atomic_store_explicit(p, v, memory_order_relaxed); }

static inline struct node *node_at(const struct folder *f, segment_ref ref) { return segment_at(f->base, ref); }
static inline segment_ref ref_of(const struct folder *f, const void *p) { return segment_ref_of(f->base, p); }

/* ---- keys: the top three bits tell what kind of item it is; a ref has 29 bits, a site 24 ---- */

static uint64_t node_key(segment_ref parent, uint32_t site) { return (uint64_t)parent << 32 | site; }
static uint64_t block_key(uint32_t site, unsigned exponent) { return 1ull << 61 | (uint64_t)site << 8 | exponent; }
static uint64_t suspended_key(uint64_t activation) { return 2ull << 61 | activation >> 3; }
static uint64_t pair_key(uint32_t caller, uint32_t site) { return 4ull << 61 | (uint64_t)caller << 24 | site; }
static uint64_t pair_node_key(uint32_t caller, uint32_t site, uint32_t flags) { return pair_key(caller, site) | (uint64_t)flags << 48; }
static uint64_t site_key(uint32_t site) { return 5ull << 61 | site; }

/* ---- steps ---- */

/* Before-images of a step, on their way into the undo slot. */
static inline void save(struct folder *f, unsigned i, const _Atomic uint64_t *word)
{
    put(&f->lane->undo.word[i].ref, ref_of(f, word));
    put(&f->lane->undo.word[i].old, get(word));
}

static inline void step_begin(struct folder *f, unsigned saved)
{
    put(&f->lane->undo.count, saved);
    put(&f->lane->commit, commit_pack(f->tail, f->depth, 1));
}

static inline void step_end(struct folder *f)
{
    f->tail++;
    put(&f->lane->commit, commit_pack(f->tail, f->depth, 0));
}

/* Before the first store to a page in a step: readers see by it which pages to copy again. */
static inline void touch(struct folder *f, const void *item) { put(&segment_page_of(item)->change, commit_pack(f->tail, f->depth, 1)); }

/* The words a step changes, gathered first so that all before-images are in place before the first change. */
struct step {
    unsigned count;
    _Atomic uint64_t *word[UNDO_WORDS];
    uint64_t value[UNDO_WORDS];
};

static void step_set(struct step *s, _Atomic uint64_t *word, uint64_t value)
{
    s->word[s->count] = word;
    s->value[s->count++] = value;
}
static void step_add(struct step *s, _Atomic uint64_t *word, uint64_t more) { step_set(s, word, get(word) + more); }

static void step_apply(struct folder *f, const struct step *s)
{
    for (unsigned i = 0; i < s->count; i++)
        save(f, i, s->word[i]);
    step_begin(f, s->count);
    for (unsigned i = 0; i < s->count; i++) {
        touch(f, (const void *)s->word[i]);
        put(s->word[i], s->value[i]);
    }
}

/* A counter of the lane goes up by one and nothing else happens. */
static __attribute__((noinline)) void count_only(struct folder *f, _Atomic uint64_t *counter)
{
    struct step s = {.count = 0};
    step_add(&s, counter, 1);
    step_apply(f, &s);
    step_end(f);
}

/* ---- pages ---- */

static struct page_header *next_in_chain(struct folder *f, enum page_kind kind)
{
    struct page_header *last = f->last[kind];
    uint32_t next = last ? get32(&last->next) : get32(&f->lane->chain[kind]);
    return next ? segment_page_at(f->base, next) : NULL;
}

static struct page_header *add_page(struct folder *f, enum page_kind kind)
{
    struct page_header *page = next_in_chain(f, kind); /* left from before a reset */
    if (!page) {
        uint32_t number = f->new_page(f->context, kind);
        if (!number)
            return NULL;
        page = segment_page_at(f->base, number);
        if (f->last[kind]) {
            touch(f, f->last[kind]);
            put32(&f->last[kind]->next, number);
        } else
            put32(&f->lane->chain[kind], number);
    }
    f->last[kind] = page;
    return page;
}

/* A new item, a copy of `image`, on a page of its kind; NULL: no memory. Readers look at `used` items only. One that a
 * dead process left without a link to it has nothing in it but its name: it needs no undo. */
static void *new_item(struct folder *f, enum page_kind kind, const void *image, size_t size)
{
    struct page_header *page = f->last[kind];
    if (!page || (get32(&page->used) + 1) * size > SEGMENT_PAGE - PAGE_ITEMS_OFFSET)
        page = add_page(f, kind);
    if (!page)
        return NULL;
    uint32_t used = get32(&page->used);
    char *item = (char *)page + PAGE_ITEMS_OFFSET + used * size;
    touch(f, page);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, (const char *)image + i, 8);
        put((_Atomic uint64_t *)(item + i), word);
    }
    put32(&page->used, used + 1);
    return item;
}

/* ---- nodes ---- */

static struct node *new_node(struct folder *f, uint64_t key, uint32_t site, uint32_t caller, segment_ref parent, uint32_t flags)
{
    struct node image = {
        .min = UINT64_MAX,
        .site = site,
        .item.key = key,
        .parent = parent,
        .caller = caller,
        .flags = flags,
        .depth = parent ? node_at(f, parent)->depth + 1 : 0,
    };
    struct node *n = new_item(f, PAGE_NODE, &image, sizeof image);
    if (!n)
        return NULL;
    f->nodes++;
    if (key)
        items_insert(f->items, &n->item);
    return n;
}

static struct node *find_node(const struct folder *f, uint64_t key)
{
    char *item = items_find(f->items, key);
    return item ? (struct node *)(item - offsetof(struct node, item)) : NULL;
}

static struct node *other_node(struct folder *f)
{
    segment_ref ref = get32(&f->lane->other);
    if (ref)
        return node_at(f, ref);
    struct node *n = new_node(f, 0, 0, 0, get32(&f->lane->root), NODE_OTHER);
    if (n)
        put32(&f->lane->other, ref_of(f, n));
    return n;
}

static uint32_t site_at(const struct folder *f, segment_ref node) { return node ? node_at(f, node)->site : 0; }

static struct entry *entry_at(const struct folder *f, uint32_t depth)
{
    return (struct entry *)((char *)f->stack[depth / ENTRIES_PER_PAGE] + PAGE_ITEMS_OFFSET) + depth % ENTRIES_PER_PAGE;
}

static uint32_t entries(const struct folder *f) { return f->stack_pages * ENTRIES_PER_PAGE; }

static void open_add(struct folder *f, uint32_t caller, uint32_t site)
{
    counts_increment(&f->open, site_key(site));
    counts_increment(&f->open, pair_key(caller, site));
}

static void open_remove(struct folder *f, uint32_t caller, uint32_t site)
{
    counts_decrement(&f->open, site_key(site));
    counts_decrement(&f->open, pair_key(caller, site));
}

/* From now on what is open is counted per site and pair: a flat node cannot tell recursion by its ancestors. */
static bool begin_counting(struct folder *f)
{
    if (f->open.room)
        return true;
    if (!counts_init(&f->open))
        return false;
    for (uint32_t d = 1; d <= f->depth && d < entries(f); d++) {
        segment_ref ref = (segment_ref)get(&entry_at(f, d)->node);
        if (ref)
            open_add(f, node_at(f, ref)->caller, node_at(f, ref)->site);
    }
    return true;
}

/* The flat node of a call whose path is given up. NULL: no memory. */
static struct node *pair_node(struct folder *f, uint32_t caller, uint32_t site)
{
    if (!begin_counting(f))
        return NULL;
    struct node *other = other_node(f);
    if (!other)
        return NULL;
    uint32_t flags = NODE_PAIR;
    if (counts_get(&f->open, site_key(site)))
        flags |= NODE_SITE_OPEN;
    if (counts_get(&f->open, pair_key(caller, site)))
        flags |= NODE_PAIR_OPEN;
    uint64_t key = pair_node_key(caller, site, flags);
    struct node *n = find_node(f, key);
    if (!n)
        n = new_node(f, key, site, caller, ref_of(f, other), flags);
    return n;
}

/* The node of `site` called from the innermost open call; 0: no memory. */
static __attribute__((noinline)) segment_ref child_slow(struct folder *f, uint32_t site)
{
    segment_ref parent_ref = f->top_node;
    if (!parent_ref) { /* the caller itself could not be accounted for */
        struct node *n = pair_node(f, 0, site);
        return n ? ref_of(f, n) : 0;
    }
    struct node *parent = node_at(f, parent_ref), *n = NULL;
    bool flat = parent->flags & NODE_PAIR || parent->depth >= f->depth_limit || f->depth >= f->depth_limit;
    if (!flat) {
        n = find_node(f, node_key(parent_ref, site));
        if (!n && f->nodes < f->node_limit)
            n = new_node(f, node_key(parent_ref, site), site, parent->site, parent_ref, 0);
        if (n)
            hint_set(&parent->recent_child, ref_of(f, n));
    }
    if (!n)
        n = pair_node(f, parent->site, site);
    return n ? ref_of(f, n) : 0;
}

static inline segment_ref child(struct folder *f, uint32_t site)
{
    if (likely(f->top_node)) {
        segment_ref hint = get32(&node_at(f, f->top_node)->recent_child);
        if (likely(hint && node_at(f, hint)->site == site))
            return hint;
    }
    return child_slow(f, site);
}

/* ---- histogram ---- */

static __attribute__((noinline)) struct bucket_block *block_slow(struct folder *f, struct node *n, unsigned exponent)
{
    uint64_t key = block_key(n->site, exponent);
    struct bucket_block *b = items_find(f->items, key);
    if (!b) {
        struct bucket_block image = {.item.key = key};
        b = new_item(f, PAGE_HISTOGRAM, &image, sizeof image);
        if (!b)
            return NULL;
        items_insert(f->items, &b->item);
    }
    hint_set(&n->recent_block[exponent & 1], ref_of(f, b));
    return b;
}

static inline struct bucket_block *block_of(struct folder *f, struct node *n, unsigned exponent)
{
    segment_ref hint = get32(&n->recent_block[exponent & 1]);
    if (likely(hint)) {
        struct bucket_block *b = segment_at(f->base, hint);
        if (likely((get(&b->item.key) & 0xff) == exponent))
            return b;
    }
    return block_slow(f, n, exponent);
}

/* ---- the stack of open calls ---- */

static void set_top(struct folder *f)
{
    if (f->depth >= entries(f)) { /* deeper than there was memory for */
        f->top_node = 0;
        f->top_page_end = NULL;
        return;
    }
    f->top = entry_at(f, f->depth);
    f->top_page_end = entry_at(f, f->depth / ENTRIES_PER_PAGE * ENTRIES_PER_PAGE) + ENTRIES_PER_PAGE;
    f->top_node = (segment_ref)get(&f->top->node);
}

/* Room for one more page in the list of the stack's pages. */
static bool stack_room(struct folder *f)
{
    if (f->stack_pages < f->stack_room)
        return true;
    uint32_t room = f->stack_room ? 2 * f->stack_room : 8;
    struct entry **more = realloc(f->stack, room * sizeof(struct entry *));
    if (!more)
        return false;
    f->stack = more;
    f->stack_room = room;
    return true;
}

static bool grow_stack(struct folder *f)
{
    struct page_header *page = stack_room(f) ? add_page(f, PAGE_STACK) : NULL;
    if (!page)
        return false;
    put32(&page->used, ENTRIES_PER_PAGE);
    f->stack[f->stack_pages++] = (struct entry *)page;
    return true;
}

/* The entry above the top; NULL: the call goes on without one, and nothing is added until it has ended. */
static inline struct entry *entry_above(struct folder *f)
{
    if (likely(f->top + 1 < f->top_page_end))
        return f->top + 1;
    if (f->depth + 1 < entries(f))
        return entry_at(f, f->depth + 1);
    if (f->depth + 1 > entries(f) || !grow_stack(f))
        return NULL;
    return entry_at(f, f->depth + 1);
}

static inline struct entry *entry_below(const struct folder *f)
{
    return likely(f->depth % ENTRIES_PER_PAGE) ? f->top - 1 : entry_at(f, f->depth - 1);
}

static inline void pushed(struct folder *f, struct entry *e, segment_ref node)
{
    f->depth++;
    if (unlikely(e != f->top + 1))
        f->top_page_end = e + ENTRIES_PER_PAGE;
    f->top = e;
    f->top_node = node;
}

static inline void popped(struct folder *f)
{
    f->depth--;
    if (likely((f->depth + 1) % ENTRIES_PER_PAGE && f->depth + 1 < entries(f))) {
        f->top--;
        f->top_node = (segment_ref)get(&f->top->node);
    } else
        set_top(f);
}

/* ---- suspended calls ---- */

static struct suspended *new_suspended(struct folder *f)
{
    struct suspended *s = f->free_suspended ? segment_at(f->base, f->free_suspended) : NULL;
    if (s)
        f->free_suspended = get32(&s->item.next);
    else if (f->suspended < f->suspended_limit)
        s = new_item(f, PAGE_SUSPENDED, &(struct suspended){.item.key = 0}, sizeof *s);
    if (s)
        f->suspended++;
    return s;
}

static void free_suspended(struct folder *f, struct suspended *s)
{
    items_remove(f->items, &s->item);
    hint_set(&s->item.next, f->free_suspended);
    f->free_suspended = ref_of(f, s);
    f->suspended--;
}

/* ---- ENTER and RESUME ---- */

static inline void fill_entry(struct folder *f, struct entry *e, uint64_t t, segment_ref node, uint32_t flags)
{
    touch(f, e);
    put(&e->begin, t);
    put(&e->off_begin, f->off);
    put(&e->children, 0);
    put(&e->off_children, 0);
    put(&e->node, (uint64_t)flags << 32 | node);
}

/* A call for which there is no entry: it is on the stack by its depth alone, and lost when it ends. */
static __attribute__((noinline)) void enter_without_entry(struct folder *f)
{
    f->depth++;
    set_top(f);
    step_end(f);
}

static inline void entered(struct folder *f, struct entry *e, segment_ref node, segment_ref caller)
{
    if (unlikely(f->open.room && node))
        open_add(f, site_at(f, caller), node_at(f, node)->site);
    pushed(f, e, node);
    step_end(f);
}

/* The entry lies above the top, where no reader looks, and the commit word makes it an open call in one store. */
static inline void enter(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = entry_above(f);
    if (unlikely(!e)) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = child(f, site);
    fill_entry(f, e, t, node, 0);
    entered(f, e, node, caller);
}

/* A call whose activation has a key: counted here, since it may end on another path than it began on. A suspended call
 * with the same key ended without an event: its memory was reused (CPython 3.13.0 closes some generators silently). */
static __attribute__((noinline)) void enter_keyed(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = entry_above(f);
    if (!e) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = child(f, site);
    struct suspended *stale = items_find(f->items, suspended_key(f->key));
    struct step s = {.count = 0};
    if (node)
        step_add(&s, &node_at(f, node)->calls, 1);
    if (stale) {
        step_add(&s, &f->lane->silent_ends, 1);
        step_set(&s, &stale->node, 0);
    }
    step_apply(f, &s);
    if (stale)
        free_suspended(f, stale);
    fill_entry(f, e, t, node, ENTRY_KEYED);
    put(&e->key, f->key);
    put(&e->carried, 0);
    put(&e->off_carried, 0);
    entered(f, e, node, caller);
}

static __attribute__((noinline)) void resume(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = entry_above(f);
    if (!e) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = child(f, site);
    struct suspended *slot = items_find(f->items, suspended_key(f->key));
    uint32_t flags = ENTRY_KEYED | (slot ? (uint32_t)(get(&slot->node) >> 32) & ENTRY_FOREIGN : ENTRY_FOREIGN);
    uint64_t since = slot ? get(&slot->since) : t;
    struct step s = {.count = 0};
    if (node && t > since)
        step_add(&s, &node_at(f, node)->waited, t - since);
    if (slot)
        step_set(&s, &slot->node, 0);
    step_apply(f, &s);
    fill_entry(f, e, t, node, flags);
    put(&e->key, f->key);
    put(&e->carried, slot ? get(&slot->carried) : 0);
    put(&e->off_carried, slot ? get(&slot->off_carried) : 0);
    if (slot)
        free_suspended(f, slot);
    entered(f, e, node, caller);
}

/* ---- EXIT and SUSPEND ---- */

/* Ticks from a to b; a clock that steps back gives 0 and is counted. */
static inline uint64_t ticks_between(struct folder *f, uint64_t a, uint64_t b)
{
    if (likely(b >= a))
        return b - a;
    put(&f->lane->clamped, get(&f->lane->clamped) + 1);
    return 0;
}

/* What the end of a stretch on the stack adds where. */
struct stretch {
    struct node *node;
    struct entry *receiver;    /* has this time among its callees' */
    uint64_t elapsed, off;     /* off: of it not on the CPU */
    uint64_t inner, off_inner; /* of them in callees */
};

static inline struct stretch stretch_of_top(struct folder *f, uint64_t t)
{
    const struct entry *e = f->top;
    return (struct stretch){
        .node = node_at(f, f->top_node),
        .receiver = entry_below(f),
        .elapsed = ticks_between(f, get(&e->begin), t),
        .off = f->off - get(&e->off_begin),
        .inner = get(&e->children),
        .off_inner = get(&e->off_children),
    };
}

static void step_stretch(struct step *s, const struct stretch *x)
{
    step_add(s, &x->receiver->children, x->elapsed);
    step_add(s, &x->node->inclusive, x->elapsed);
    if (x->inner)
        step_add(s, &x->node->children, x->inner);
    if (x->off) {
        step_add(s, &x->receiver->off_children, x->off);
        step_add(s, &x->node->off_inclusive, x->off);
    }
    if (x->off_inner)
        step_add(s, &x->node->off_children, x->off_inner);
}

static void step_duration(struct folder *f, struct step *s, struct node *n, uint64_t duration)
{
    unsigned exponent = histogram_exponent(duration);
    struct bucket_block *block = block_of(f, n, exponent);
    if (block)
        step_add(s, &block->count[histogram_step(duration, exponent)], 1);
    if (duration < get(&n->min))
        step_set(s, &n->min, duration);
    if (duration > get(&n->max))
        step_set(s, &n->max, duration);
}

static void step_flags(struct step *s, struct node *n, unsigned flags)
{
    if (flags & RECORD_RAISED)
        step_add(s, &n->raised, 1);
    if (flags & RECORD_CUT)
        step_add(s, &n->cut, 1);
}

/* The call on top has no node or no entry: its callees' time goes to its caller, its own stays the caller's, and it is
 * counted as lost. */
static __attribute__((noinline)) void end_lost(struct folder *f)
{
    struct step s = {.count = 0};
    step_add(&s, &f->lane->lost, 1);
    if (f->depth < entries(f)) {
        struct entry *below = entry_below(f);
        step_add(&s, &below->children, get(&f->top->children));
        step_add(&s, &below->off_children, get(&f->top->off_children));
    }
    step_apply(f, &s);
    popped(f);
    step_end(f);
}

static inline void ended(struct folder *f, const struct node *n)
{
    if (unlikely(f->open.room))
        open_remove(f, n->caller, n->site);
    popped(f);
    step_end(f);
}

/* An end with more to it than time: raised, cut, off the CPU, a new minimum. */
static __attribute__((noinline)) void exit_general(struct folder *f, uint64_t t, unsigned flags)
{
    struct stretch x = stretch_of_top(f, t);
    struct step s = {.count = 0};
    step_stretch(&s, &x);
    step_add(&s, &x.node->calls, 1);
    step_flags(&s, x.node, flags);
    if (!(flags & RECORD_CUT))
        step_duration(f, &s, x.node, x.elapsed);
    step_apply(f, &s);
    ended(f, x.node);
}

/* The usual end and the usual call, the same as exit_general by hand: this is what recording costs beside the clock.
 * Everything is computed before the first store, since the compiler reloads what it knows after each release store. */
struct quick {
    struct entry *receiver;
    struct node *node;
    struct bucket_block *block;
    _Atomic uint64_t *count;
    uint64_t elapsed, inner;
};

/* False: there is more to it than four sums. */
static inline bool quick_look(struct folder *f, struct quick *q)
{
    unsigned exponent = histogram_exponent(q->elapsed);
    struct node *n = q->node;
    q->block = block_of(f, n, exponent);
    q->count = q->block ? &q->block->count[histogram_step(q->elapsed, exponent)] : NULL;
    return q->block && q->elapsed >= get(&n->min) && q->elapsed <= get(&n->max);
}

static inline void quick_store(struct folder *f, const struct quick *q, uint64_t tail, uint32_t depth)
{
    void *base = f->base;
    struct lane *l = f->lane;
    uint64_t odd = commit_pack(f->tail, f->depth, 1), even = commit_pack(tail, depth, 0);
    _Atomic uint64_t *children = &q->receiver->children, *inclusive = &q->node->inclusive, *calls = &q->node->calls, *count = q->count;
    uint64_t c = get(children), i = get(inclusive), n = get(calls), k = get(count), elapsed = q->elapsed, inner = q->inner;
    struct page_header *entry_page = segment_page_of(q->receiver), *node_page = segment_page_of(q->node), *block_page = segment_page_of(q->block);
    uint64_t nested = inner ? get(&q->node->children) : 0;
    segment_ref node = segment_ref_of(base, inclusive);
    f->tail = tail;
    f->depth = depth;
    put(&l->undo.word[0].ref, segment_ref_of(base, children));
    put(&l->undo.word[0].old, c);
    put(&l->undo.word[1].ref, node + offsetof(struct node, inclusive) / 8);
    put(&l->undo.word[1].old, i);
    put(&l->undo.word[2].ref, node + offsetof(struct node, calls) / 8);
    put(&l->undo.word[2].old, n);
    put(&l->undo.word[3].ref, segment_ref_of(base, count));
    put(&l->undo.word[3].old, k);
    if (inner) {
        put(&l->undo.word[4].ref, node + offsetof(struct node, children) / 8);
        put(&l->undo.word[4].old, nested);
    }
    put(&l->undo.count, inner ? 5 : 4);
    put(&l->commit, odd);
    put(&entry_page->change, odd);
    put(&node_page->change, odd);
    put(&block_page->change, odd);
    put(children, c + elapsed);
    put(inclusive, i + elapsed);
    put(calls, n + 1);
    put(count, k + 1);
    if (inner)
        put((_Atomic uint64_t *)segment_at(base, node + offsetof(struct node, children) / 8), nested + inner);
    put(&l->commit, even);
}

static inline void exit_plain(struct folder *f, uint64_t t)
{
    struct entry *e = f->top;
    struct quick q = {
        .receiver = entry_below(f), .node = node_at(f, f->top_node), .elapsed = t - get(&e->begin), .inner = get(&e->children)};
    if (unlikely(f->off != get(&e->off_begin) || !quick_look(f, &q))) {
        exit_general(f, t, 0);
        return;
    }
    if (unlikely(f->open.room))
        open_remove(f, q.node->caller, q.node->site);
    quick_store(f, &q, f->tail + 1, f->depth - 1);
    f->top_node = (segment_ref)get(&q.receiver->node);
    f->top = q.receiver;
    if (unlikely((f->depth + 1) % ENTRIES_PER_PAGE == 0))
        set_top(f);
}

/* A call without callees, both records in one step: no entry is made for it. False: nothing was done. */
static inline bool leaf(struct folder *f, uint64_t begin, uint64_t t, uint32_t site)
{
    segment_ref ref = child(f, site);
    struct quick q = {.receiver = f->top, .node = node_at(f, ref), .elapsed = t - begin, .inner = 0};
    if (unlikely(!ref || f->top_page_end == NULL || !quick_look(f, &q)))
        return false;
    quick_store(f, &q, f->tail + 2, f->depth);
    return true;
}

/* A keyed call ends, or waits. It was counted when it began; its duration is all it ran. */
static __attribute__((noinline)) void end_keyed(struct folder *f, uint64_t t, unsigned flags, bool waits)
{
    struct stretch x = stretch_of_top(f, t);
    struct entry *e = f->top;
    struct suspended *slot = waits ? new_suspended(f) : NULL;
    uint64_t word = get(&e->node), carried = get(&e->carried) + x.elapsed;
    struct step s = {.count = 0};
    step_stretch(&s, &x);
    step_flags(&s, x.node, flags);
    if (!waits && !(flags & RECORD_CUT) && !((word >> 32) & ENTRY_FOREIGN))
        step_duration(f, &s, x.node, carried);
    if (waits && !slot) /* it will come back as foreign: counted, its duration unknown */
        step_add(&s, &f->lane->lost, 1);
    if (slot) {
        put(&slot->item.key, suspended_key(get(&e->key)));
        put(&slot->carried, carried);
        put(&slot->off_carried, get(&e->off_carried) + x.off);
        put(&slot->since, t);
        step_set(&s, &slot->node, word);
    }
    step_apply(f, &s);
    if (slot)
        items_insert(f->items, &slot->item);
    ended(f, x.node);
}

/* A block that was left while calls begun after it are still open (blocks of two tasks interleave). Its time up to the
 * next entry is its own and its callees'; from there on it is theirs. Its entry stays and passes their time on. */
static __attribute__((noinline)) void exit_below(struct folder *f, uint64_t t, uint32_t depth, unsigned flags)
{
    struct entry *e = entry_at(f, depth), *next = entry_at(f, depth + 1);
    uint64_t word = get(&e->node);
    if (!(segment_ref)word || (word >> 32) & (ENTRY_ENDED | ENTRY_KEYED)) {
        count_only(f, &f->lane->mismatched);
        return;
    }
    struct stretch x = {
        .node = node_at(f, (segment_ref)word),
        .receiver = entry_at(f, depth - 1),
        .elapsed = ticks_between(f, get(&e->begin), get(&next->begin)),
        .off = get(&next->off_begin) - get(&e->off_begin),
        .inner = get(&e->children),
        .off_inner = get(&e->off_children),
    };
    struct step s = {.count = 0};
    step_stretch(&s, &x);
    step_add(&s, &x.node->calls, 1);
    step_flags(&s, x.node, flags);
    if (!(flags & RECORD_CUT))
        step_duration(f, &s, x.node, ticks_between(f, get(&e->begin), t));
    step_set(&s, &e->children, 0);
    step_set(&s, &e->off_children, 0);
    step_set(&s, &e->node, word | (uint64_t)ENTRY_ENDED << 32);
    step_apply(f, &s);
    if (f->open.room)
        open_remove(f, x.node->caller, x.node->site);
    step_end(f);
}

/* The entry on top ended out of order before: its callees' time goes down. */
static __attribute__((noinline)) void drop(struct folder *f)
{
    if (f->depth == 0 || f->depth >= entries(f) || !((get(&f->top->node) >> 32) & ENTRY_ENDED)) {
        count_only(f, &f->lane->mismatched);
        return;
    }
    struct entry *below = entry_below(f);
    struct step s = {.count = 0};
    step_add(&s, &below->children, get(&f->top->children));
    step_add(&s, &below->off_children, get(&f->top->off_children));
    step_apply(f, &s);
    popped(f);
    step_end(f);
}

static uint32_t saturated(uint32_t depth) { return depth < 0xffff ? depth : 0xffff; }

static __attribute__((noinline)) void end_rare(struct folder *f, uint64_t t, uint64_t what)
{
    uint32_t depth = record_depth(what);
    unsigned flags = record_flags(what);
    bool waits = record_kind(what) == RECORD_SUSPEND;
    if (depth == 0 || depth > saturated(f->depth)) {
        count_only(f, &f->lane->mismatched);
    } else if (depth < saturated(f->depth)) {
        if (waits || f->depth >= entries(f))
            count_only(f, &f->lane->mismatched);
        else
            exit_below(f, t, depth, flags);
    } else if (!f->top_node) {
        end_lost(f);
    } else if (site_at(f, f->top_node) != record_site(what) || (get(&f->top->node) >> 32) & ENTRY_ENDED) {
        count_only(f, &f->lane->mismatched);
    } else if ((get(&f->top->node) >> 32) & ENTRY_KEYED) {
        end_keyed(f, t, flags, waits);
    } else if (waits) {
        count_only(f, &f->lane->mismatched);
    } else {
        exit_general(f, t, flags);
    }
}

/* ---- records ---- */

static inline void end(struct folder *f, uint64_t t, uint64_t what)
{
    /* The whole second word of a plain end on top: site, depth, kind, no flags. */
    segment_ref top = f->top_node;
    bool plain = top && what == record_pack(node_at(f, top)->site, f->depth, RECORD_EXIT, 0) && !(get(&f->top->node) >> 32);
    if (likely(plain && f->depth))
        exit_plain(f, t);
    else
        end_rare(f, t, what);
}

static __attribute__((noinline)) void advance_clock(struct folder *f, uint64_t *clock, _Atomic uint64_t *word, uint64_t ticks)
{
    struct step s = {.count = 0};
    *clock += ticks;
    step_set(&s, word, *clock);
    step_apply(f, &s);
    step_end(f);
}

static void set_key(struct folder *f, uint64_t key)
{
    f->key = key;
    put(&f->lane->key, key); /* the same again if the step is repeated: needs no undo */
    step_end(f);
}

static __attribute__((noinline)) void fold_other(struct folder *f, uint64_t when, uint64_t what)
{
    switch (record_kind(what)) {
    case RECORD_ENTER:
        enter_keyed(f, when - f->own, record_site(what));
        return;
    case RECORD_SUSPEND:
        end_rare(f, when - f->own, what);
        return;
    case RECORD_RESUME:
        resume(f, when - f->own, record_site(what));
        return;
    case RECORD_KEY:
        set_key(f, when);
        return;
    case RECORD_OFF_CPU:
        advance_clock(f, &f->off, &f->lane->off, record_duration(what));
        return;
    case RECORD_OWN:
        advance_clock(f, &f->own, &f->lane->own, record_duration(what));
        return;
    case RECORD_DROP:
        drop(f);
        return;
    case RECORD_NONE:
        step_end(f);
        return;
    default:
        count_only(f, &f->lane->mismatched);
        return;
    }
}

void folder_run(struct folder *f, const struct slot *ring, uint64_t mask, uint64_t count)
{
    uint64_t stop = f->tail + count;
    while (f->tail < stop) {
        const struct slot *r = &ring[f->tail & mask];
        uint64_t when = get(&r->when), what = get(&r->what);
        uint64_t plain = what >> 48; /* kind and flags */
        if (plain == RECORD_ENTER) {
            uint32_t site = record_site(what);
            const struct slot *next = &ring[(f->tail + 1) & mask];
            uint64_t end_of = record_pack(site, f->depth + 1, RECORD_EXIT, 0);
            bool is_leaf = f->tail + 1 < stop && get(&next->what) == end_of;
            if (!is_leaf || !leaf(f, when, get(&next->when), site))
                enter(f, when - f->own, site);
        } else if (plain == RECORD_EXIT)
            end(f, when - f->own, what);
        else
            fold_other(f, when, what);
    }
}

void folder_cut(struct folder *f, uint64_t when)
{
    if (f->depth >= entries(f)) {
        struct step s = {.count = 0};
        step_add(&s, &f->lane->lost, f->depth - (entries(f) - 1));
        step_apply(f, &s);
        f->depth = entries(f) - 1;
        set_top(f);
        step_end(f);
    } else if ((get(&f->top->node) >> 32) & ENTRY_ENDED)
        drop(f);
    else
        end_rare(f, when - f->own, record_pack(site_at(f, f->top_node), f->depth, RECORD_EXIT, RECORD_CUT));
}

/* ---- merging ---- */

static struct node *merge_target(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat)
{
    const struct node *p = parent ? node_at(f, parent) : NULL;
    if (!(from->flags & NODE_PAIR) && p && !(p->flags & NODE_PAIR) && p->depth < f->depth_limit) {
        struct node *n = find_node(f, node_key(parent, from->site));
        if (!n && f->nodes < f->node_limit)
            n = new_node(f, node_key(parent, from->site), from->site, from->caller, parent, 0);
        if (n)
            return n;
    }
    struct node *other = other_node(f);
    uint64_t key = pair_node_key(from->caller, from->site, flat);
    struct node *n = find_node(f, key);
    return n || !other ? n : new_node(f, key, from->site, from->caller, ref_of(f, other), flat);
}

segment_ref folder_merge_node(struct folder *f, segment_ref parent, const struct node *from, uint32_t flat)
{
    struct step s = {.count = 0};
    struct node *n = merge_target(f, parent, from, flat);
    if (!n) {
        step_add(&s, &f->lane->lost, get(&from->calls));
    } else {
        step_add(&s, &n->inclusive, get(&from->inclusive));
        step_add(&s, &n->children, get(&from->children));
        step_add(&s, &n->calls, get(&from->calls));
        step_add(&s, &n->waited, get(&from->waited));
        step_add(&s, &n->off_inclusive, get(&from->off_inclusive));
        step_add(&s, &n->off_children, get(&from->off_children));
        step_add(&s, &n->raised, get(&from->raised));
        step_add(&s, &n->cut, get(&from->cut));
        if (get(&from->min) < get(&n->min))
            step_set(&s, &n->min, get(&from->min));
        if (get(&from->max) > get(&n->max))
            step_set(&s, &n->max, get(&from->max));
    }
    step_apply(f, &s);
    step_end(f);
    return n ? ref_of(f, n) : 0;
}

void folder_merge_block(struct folder *f, const struct bucket_block *from)
{
    uint64_t key = get(&from->item.key);
    struct bucket_block *b = items_find(f->items, key), image = {.item.key = key};
    if (!b) {
        b = new_item(f, PAGE_HISTOGRAM, &image, sizeof image);
        if (b)
            items_insert(f->items, &b->item);
    }
    struct step s = {.count = 0};
    for (unsigned i = 0; b && i < HISTOGRAM_STEPS; i++)
        if (get(&from->count[i]))
            step_add(&s, &b->count[i], get(&from->count[i]));
    step_apply(f, &s);
    step_end(f);
}

void folder_merge_counters(struct folder *f, const struct lane *from)
{
    struct lane *l = f->lane;
    struct step s = {.count = 0};
    step_add(&s, &l->own, get(&from->own));
    step_add(&s, &l->off, get(&from->off));
    step_add(&s, &l->lost, get(&from->lost));
    step_add(&s, &l->clamped, get(&from->clamped));
    step_add(&s, &l->mismatched, get(&from->mismatched));
    step_add(&s, &l->silent_ends, get(&from->silent_ends));
    step_apply(f, &s);
    step_end(f);
}

/* ---- life of a folder ---- */

static bool make_root(struct folder *f)
{
    struct node *root = new_node(f, 0, 0, 0, 0, 0);
    if (!root || !grow_stack(f))
        return false;
    put32(&f->lane->root, ref_of(f, root));
    struct entry *e = entry_at(f, 0);
    memset(e, 0, sizeof *e);
    put(&e->node, ref_of(f, root));
    f->depth = 0;
    set_top(f);
    put(&f->lane->commit, commit_pack(f->tail, 0, 0));
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
    *f = (struct folder){.base = base, .lane = lane, .new_page = new_page, .context = context};
    set_limits(f, limits);
    f->items = items_new(base);
    if (!f->items || !make_root(f)) {
        folder_free(f);
        return -ENOMEM;
    }
    return 0;
}

static int attach_stack(struct folder *f)
{
    for (uint32_t number = get32(&f->lane->chain[PAGE_STACK]); number;) {
        struct page_header *page = segment_page_at(f->base, number);
        if (!get32(&page->used))
            break; /* left from before a reset */
        if (!stack_room(f))
            return -ENOMEM;
        f->stack[f->stack_pages++] = (struct entry *)page;
        f->last[PAGE_STACK] = page;
        number = get32(&page->next);
    }
    return f->stack_pages ? 0 : -EINVAL;
}

static void attach_items(struct folder *f, enum page_kind kind, size_t size, size_t key_offset)
{
    for (uint32_t number = get32(&f->lane->chain[kind]); number;) {
        struct page_header *page = segment_page_at(f->base, number);
        uint32_t used = get32(&page->used);
        if (!used)
            break;
        for (uint32_t i = 0; i < used; i++) {
            struct item *item = (struct item *)((char *)page + PAGE_ITEMS_OFFSET + i * size + key_offset);
            bool waits = kind != PAGE_SUSPENDED || get(&((struct suspended *)item)->node);
            if (get(&item->key) && waits)
                items_insert(f->items, item);
            f->suspended += kind == PAGE_SUSPENDED && waits;
            f->nodes += kind == PAGE_NODE;
        }
        f->last[kind] = page;
        number = get32(&page->next);
    }
}

int folder_attach(struct folder *f, void *base, struct lane *lane, uint64_t tail, folder_new_page *new_page, void *context)
{
    *f = (struct folder){.base = base, .lane = lane, .new_page = new_page, .context = context, .tail = tail};
    set_limits(f, &folder_default_limits);
    f->items = items_new(base);
    int r = f->items ? attach_stack(f) : -ENOMEM;
    if (r < 0) {
        folder_free(f);
        return r;
    }
    attach_items(f, PAGE_NODE, sizeof(struct node), offsetof(struct node, item));
    attach_items(f, PAGE_HISTOGRAM, sizeof(struct bucket_block), 0);
    attach_items(f, PAGE_SUSPENDED, sizeof(struct suspended), 0);
    f->own = get(&lane->own);
    f->off = get(&lane->off);
    f->key = get(&lane->key);
    f->depth = commit_depth(get(&lane->commit));
    set_top(f);
    /* The target had given up paths: from here on recursion must be told as it tells it. */
    if (get32(&lane->other) && !begin_counting(f)) {
        folder_free(f);
        return -ENOMEM;
    }
    return 0;
}

void folder_reset(struct folder *f, uint64_t tail)
{
    static const enum page_kind kinds[] = {PAGE_NODE, PAGE_HISTOGRAM, PAGE_SUSPENDED, PAGE_STACK};
    struct lane *l = f->lane;
    items_clear(f->items);
    counts_free(&f->open);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        f->last[kinds[i]] = NULL;
        for (uint32_t number = get32(&l->chain[kinds[i]]); number;) {
            struct page_header *page = segment_page_at(f->base, number);
            touch(f, page);
            put32(&page->used, 0);
            number = get32(&page->next);
        }
    }
    _Atomic uint64_t *zero[] = {&l->own, &l->off, &l->lost, &l->clamped, &l->mismatched, &l->silent_ends};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        put(zero[i], 0);
    put32(&l->root, 0);
    put32(&l->other, 0);
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
    f->items = NULL;
    f->stack = NULL;
}

void folder_undo(void *base, struct lane *lane)
{
    uint64_t commit = get(&lane->commit), count = get(&lane->undo.count);
    if (!commit_odd(commit))
        return;
    for (uint64_t i = 0; i < count && i < UNDO_WORDS; i++)
        put((_Atomic uint64_t *)segment_at(base, (segment_ref)get(&lane->undo.word[i].ref)), get(&lane->undo.word[i].old));
    put(&lane->commit, commit & ~1ull);
}
