/* The stack of open calls. For fold*.c only. */
#ifndef TSCAP_FOLD_STACK_H
#define TSCAP_FOLD_STACK_H

#include "chain.h"
#include "fold_batch.h"

#define ENTRIES_PER_PAGE PAGE_ITEMS(struct entry)

void stack_set_top(struct folder *f);
bool stack_grow(struct folder *f); /* by a page */
int stack_attach(struct folder *f); /* takes up what is there; 0, -ENOMEM, -EINVAL */
void stack_save(struct folder *f, const struct entry *e, uint32_t below);

static inline struct entry *stack_entry(const struct folder *f, uint32_t depth)
{
    return page_item(f->stack[depth / ENTRIES_PER_PAGE], depth % ENTRIES_PER_PAGE, sizeof(struct entry));
}

static inline uint32_t stack_entries(const struct folder *f) { return f->stack_pages * ENTRIES_PER_PAGE; }

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

/* Entries above the depth at which the batch began are nobody's if it is undone. A batch is shorter than 64 records, so
 * none further down than that is reached by the ends of calls; exit_below logs what it changes. */
static inline void stack_touch(struct folder *f, struct entry *e, uint32_t depth)
{
    uint32_t below = f->base_depth - depth; /* huge when above */
    if (unlikely(below < 64 && !(f->saved_entries >> below & 1)))
        stack_save(f, e, below);
}

#endif
