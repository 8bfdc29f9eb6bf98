#include "fold_opens.h"

#include "fold_stack.h"
#include "item_key.h"

void opens_add(struct folder *f, uint32_t caller, uint32_t site)
{
    counts_increment(&f->open, key_site(site));
    counts_increment(&f->open, key_pair(caller, site));
}

void opens_remove(struct folder *f, uint32_t caller, uint32_t site)
{
    counts_decrement(&f->open, key_site(site));
    counts_decrement(&f->open, key_pair(caller, site));
}

bool opens_begin(struct folder *f)
{
    if (f->open.room)
        return true;
    if (!counts_init(&f->open))
        return false;
    for (uint32_t d = 1; d <= f->depth && d < stack_entries(f); d++) {
        segment_ref ref = (segment_ref)word_get(&stack_entry(f, d)->node);
        const struct node *n = segment_at(f->base, ref);
        if (ref)
            opens_add(f, node_caller(n), node_site(n));
    }
    return true;
}
