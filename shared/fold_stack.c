#include "fold_stack.h"

#include <errno.h>
#include <stdlib.h>

#include "fold_pages.h"

void stack_set_top(struct folder *f)
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

bool stack_grow(struct folder *f)
{
    struct page_header *page = list_room(f) ? pages_add(f, PAGE_STACK) : NULL;
    if (!page)
        return false;
    batch_mark(f, page); /* a reader may have copied it when a reset had emptied it */
    word_put(&page->used, ENTRIES_PER_PAGE);
    f->stack[f->stack_pages++] = page;
    return true;
}

int stack_attach(struct folder *f)
{
    chain_each_page(page, f->base, word_get(&f->side->chain[PAGE_STACK])) {
        if (!word_get(&page->used))
            break;
        if (!list_room(f))
            return -ENOMEM;
        f->stack[f->stack_pages++] = page;
        f->last[PAGE_STACK] = page;
    }
    return f->stack_pages ? 0 : -EINVAL;
}

void stack_save(struct folder *f, const struct entry *e, uint32_t below)
{
    f->saved_entries |= 1ull << below;
    batch_mark(f, e);
    batch_log(f, &e->begin, 5); /* off_begin, children, off_children, node */
    if (!(word_get(&e->node) >> 32 & (ENTRY_KEYED | ENTRY_ENDED))) /* else the rest of the line says something */
        return;
    batch_log(f, &e->key, 3); /* carried, waited */
}
