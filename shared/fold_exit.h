/* EXIT, SUSPEND and DROP: calls leave the stack, and their times go where they belong. For fold*.c only. */
#ifndef TSCAP_FOLD_EXIT_H
#define TSCAP_FOLD_EXIT_H

#include "fold_nodes.h"
#include "fold_opens.h"
#include "fold_stack.h"
#include "fold_totals.h"

/* Whatever record ends a call, or says that it waits. */
void exit_any(struct folder *f, uint64_t t, uint64_t what);

/* The entry on top, which ended out of order before, goes. */
void exit_drop_ended(struct folder *f);
/* By a record: it may be without an entry. */
void exit_drop(struct folder *f, uint16_t depth);

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

static inline struct stretch stretch_of_top(struct folder *f, uint64_t t)
{
    const struct entry *e = f->top;
    return (struct stretch){
        .node = nodes_at(f, f->top_node),
        .receiver = stack_below(f),
        .elapsed = stretch_ticks(f, word_get(&e->begin), t),
        .off = f->off - word_get(&e->off_begin),
        .inner = word_get(&e->children),
        .off_inner = word_get(&e->off_children),
    };
}

static inline void exit_pop(struct folder *f, const struct node *n)
{
    if (unlikely(f->open.room))
        opens_remove(f, node_caller(n), node_site(n));
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
        totals_add_flags(f, x.node, flags, x.elapsed);
    if (likely(!(flags & RECORD_CUT)))
        totals_add_duration(f, x.node, x.elapsed);
    else
        batch_add(f, &x.node->unended, x.elapsed);
    exit_pop(f, x.node);
}

#endif
