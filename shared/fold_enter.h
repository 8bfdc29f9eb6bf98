/* ENTER and RESUME: calls come onto the stack. For fold*.c only. */
#ifndef TSCAP_FOLD_ENTER_H
#define TSCAP_FOLD_ENTER_H

#include "fold_nodes.h"
#include "fold_opens.h"
#include "fold_stack.h"

/* A call for which there is no entry: it is on the stack by its depth alone, and lost when it ends. */
void enter_without_entry(struct folder *f);

/* A call whose activation has a key: counted here, since it may end on another path than it began on. A suspended call
 * with the same key ended without an event: its memory was reused (CPython 3.13.0 closes some generators silently). */
void enter_keyed(struct folder *f, uint64_t t, uint32_t site);

/* The call keeps the audience that it began in. `moved`: another lane knew it until now, and says what it did there (RECORD_WAITED, RECORD_CARRIED). */
void enter_resume(struct folder *f, uint64_t t, uint32_t site, bool moved);

/* What the call on top, just resumed, did on other threads. Without an entry there is nobody to tell. */
void enter_amend(struct folder *f, uint64_t what);

static inline void enter_fill(struct folder *f, struct entry *e, uint64_t t, segment_ref node, uint32_t flags)
{
    stack_touch(f, e, f->depth + 1);
    batch_mark(f, e);
    word_put(&e->begin, t);
    word_put(&e->off_begin, f->off);
    word_put(&e->children, 0);
    word_put(&e->off_children, 0);
    word_put(&e->node, (uint64_t)flags << 32 | node);
}

static inline void enter_push(struct folder *f, struct entry *e, segment_ref node, segment_ref caller)
{
    if (unlikely(f->open.room && node))
        opens_add(f, caller ? nodes_site(f, caller) : node_caller(nodes_at(f, node)), nodes_site(f, node));
    stack_push(f, e, node);
}

static inline void enter_plain(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = stack_above(f);
    if (unlikely(!e)) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = nodes_child(f, site | f->audience);
    enter_fill(f, e, t, node, 0);
    enter_push(f, e, node, caller);
}

#endif
