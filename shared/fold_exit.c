#include "fold_exit.h"

#include "fold_suspended.h"

/* As stretch_add(), without a receiver, and whatever has happened to the node in this batch. */
static void add_path_time(struct folder *f, struct node *n, uint64_t elapsed, uint64_t inner, uint64_t off, uint64_t off_inner)
{
    batch_add(f, &n->inclusive, elapsed);
    batch_add(f, &n->children, inner);
    batch_add(f, &n->off_inclusive, off);
    batch_add(f, &n->off_children, off_inner);
}

/* The call on top has no node or no entry: its callees' time goes to its caller, its own stays the caller's, and it is
 * counted as lost. */
static void end_lost(struct folder *f)
{
    batch_add(f, &f->lane->lost, 1);
    if (f->depth < stack_entries(f)) {
        struct entry *below = stack_below(f);
        stack_touch(f, below, f->depth - 1);
        batch_bump(&below->children, word_get(&f->top->children));
        batch_bump(&below->off_children, word_get(&f->top->off_children));
    }
    if (f->top_node)
        exit_pop(f, nodes_at(f, f->top_node));
    else
        stack_pop(f);
}

/* A call waits since its stack is left for another one: a plain one is a keyed one from here on, counted as begun. */
static void become_keyed(struct folder *f)
{
    struct entry *e = f->top;
    uint64_t word = word_get(&e->node);
    if (!(word >> 32 & ENTRY_KEYED)) {
        batch_add(f, &nodes_at(f, f->top_node)->calls, 1);
        batch_change(f, &e->carried, 0);
        batch_change(f, &e->waited, 0);
        batch_change(f, &e->node, word | (uint64_t)ENTRY_KEYED << 32);
    }
    batch_change(f, &e->key, f->key);
}

/* A keyed call ends, or waits. It was counted when it began; its duration is all it ran, its elapsed time the waits as well. */
static void end_keyed(struct folder *f, uint64_t t, unsigned flags, bool waits)
{
    struct stretch x = stretch_of_top(f, t);
    struct entry *e = f->top;
    struct suspended *slot = waits ? suspended_new(f) : NULL;
    uint64_t word = word_get(&e->node), carried = word_get(&e->carried) + x.elapsed;
    bool foreign = word >> 32 & ENTRY_FOREIGN;
    stack_touch(f, x.receiver, f->depth - 1);
    stretch_add(f, &x);
    totals_add_flags(f, x.node, foreign ? 0 : flags, carried); /* what was not counted as begun neither is open nor raised */
    bool ended = !waits && !(flags & RECORD_CUT) && !foreign;
    batch_add(f, &x.node->unended, ended ? x.elapsed - carried : x.elapsed);
    if (ended)
        totals_add_keyed(f, x.node, carried, word_get(&e->waited));
    if (waits && !slot) /* it will come back as foreign: counted, its duration unknown */
        batch_add(f, &f->lane->lost_waits, 1);
    if (slot) {
        const struct suspended image = {
            .item.key = key_suspended(word_get(&e->key)), .carried = carried, .waited = word_get(&e->waited), .since = t, .node = word};
        suspended_fill(f, slot, &image);
    }
    exit_pop(f, x.node);
}

/* A block that was left while calls begun after it are still open (blocks of two tasks interleave). Its time up to the
 * next entry is its own and its callees'; from there on it is theirs. Its entry stays, keeps both apart, and passes them
 * on when it is dropped: so an outer block that is left meanwhile does not take them for time before its own next entry. */
static void exit_below(struct folder *f, uint64_t t, uint32_t depth, unsigned flags)
{
    struct entry *e = stack_entry(f, depth), *next = stack_entry(f, depth + 1);
    uint64_t word = word_get(&e->node), ran = 0, elapsed = 0, off = 0;
    bool keyed = word >> 32 & ENTRY_KEYED, foreign = word >> 32 & ENTRY_FOREIGN;
    if (word >> 32 & ENTRY_ENDED) {
        batch_add(f, &f->lane->mismatched, 1);
        return;
    }
    if ((segment_ref)word) {
        struct node *n = nodes_at(f, (segment_ref)word);
        totals_touch(f, n);
        elapsed = stretch_ticks(f, word_get(&e->begin), word_get(&next->begin));
        off = word_get(&next->off_begin) - word_get(&e->off_begin);
        add_path_time(f, n, elapsed, word_get(&e->children), off, word_get(&e->off_children));
        if (!keyed)
            batch_add(f, &n->calls, 1);
        ran = keyed ? word_get(&e->carried) : 0;
        bool ended = !(flags & RECORD_CUT) && !foreign;
        ran += t > word_get(&e->begin) ? t - word_get(&e->begin) : 0;
        totals_add_flags(f, n, foreign ? 0 : flags, ran);
        batch_add(f, &n->unended, ended ? elapsed - ran : elapsed);
        if (ended)
            totals_add_keyed(f, n, ran, keyed ? word_get(&e->waited) : 0);
        batch_change(f, &e->children, 0);
        batch_change(f, &e->off_children, 0);
    } else
        batch_add(f, &f->lane->lost, 1);
    batch_change(f, &e->carried, elapsed);
    batch_change(f, &e->waited, off);
    batch_change(f, &e->node, word | (uint64_t)ENTRY_ENDED << 32);
}

/* The entry on top ended out of order before: its own time and that of the calls that outlived it go down. The latter
 * becomes part of its path's time, so that a path has never less than its callees. */
void exit_drop_ended(struct folder *f)
{
    const struct entry *e = f->top;
    struct entry *below = stack_below(f);
    uint64_t later = word_get(&e->children), off_later = word_get(&e->off_children);
    batch_add(f, &below->children, word_get(&e->carried) + later);
    batch_add(f, &below->off_children, word_get(&e->waited) + off_later);
    if (!f->top_node) {
        stack_pop(f);
        return;
    }
    struct node *n = nodes_at(f, f->top_node);
    add_path_time(f, n, later, later, off_later, off_later);
    batch_add(f, &n->unended, later);
    exit_pop(f, n);
}

void exit_drop(struct folder *f, uint16_t depth)
{
    if (f->depth == 0 || depth != (uint16_t)f->depth)
        batch_add(f, &f->lane->mismatched, 1);
    else if (f->depth < stack_entries(f) && word_get(&f->top->node) >> 32 & ENTRY_ENDED)
        exit_drop_ended(f);
    else
        end_lost(f); /* there was no room to take note of its end */
}

void exit_any(struct folder *f, uint64_t t, uint64_t what)
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
