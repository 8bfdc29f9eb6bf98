#include "fold_enter.h"

#include "fold_suspended.h"

void enter_without_entry(struct folder *f)
{
    f->depth++;
    stack_set_top(f);
}

void enter_keyed(struct folder *f, uint64_t t, uint32_t site)
{
    struct entry *e = stack_above(f);
    if (!e) {
        enter_without_entry(f);
        return;
    }
    segment_ref caller = f->top_node, node = nodes_child(f, site | f->audience);
    struct suspended *stale = items_find(f->items, key_suspended(f->key));
    if (node)
        batch_add(f, &nodes_at(f, node)->calls, 1);
    if (stale)
        suspended_end_silently(f, stale);
    enter_fill(f, e, t, node, ENTRY_KEYED);
    word_put(&e->key, f->key);
    word_put(&e->carried, 0);
    word_put(&e->waited, 0);
    enter_push(f, e, node, caller);
}

void enter_resume(struct folder *f, uint64_t t, uint32_t site, bool moved)
{
    struct entry *e = stack_above(f);
    if (!e) {
        enter_without_entry(f);
        return;
    }
    struct suspended *found = items_find(f->items, key_suspended(f->key));
    struct suspended *slot = found && !moved && nodes_site(f, (segment_ref)word_get(&found->node)) == site ? found : NULL;
    uint32_t identity = slot ? nodes_at(f, (segment_ref)word_get(&slot->node))->identity : site | f->audience;
    segment_ref caller = f->top_node, node = nodes_child(f, identity);
    uint32_t foreign = slot ? (uint32_t)(word_get(&slot->node) >> 32) & ENTRY_FOREIGN : moved ? 0 : ENTRY_FOREIGN;
    uint64_t wait = slot && t > word_get(&slot->since) ? t - word_get(&slot->since) : 0;
    if (node && wait)
        batch_add(f, &nodes_at(f, node)->waited, wait);
    enter_fill(f, e, t, node, ENTRY_KEYED | foreign);
    word_put(&e->key, f->key);
    word_put(&e->carried, slot ? word_get(&slot->carried) : 0);
    word_put(&e->waited, slot ? word_get(&slot->waited) + wait : 0);
    if (slot)
        suspended_free(f, slot);
    else if (found) /* its memory was used again: for another function, or on another thread */
        suspended_end_silently(f, found);
    enter_push(f, e, node, caller);
}

void enter_amend(struct folder *f, uint64_t what)
{
    struct entry *e = f->top;
    uint64_t ticks = record_duration(what);
    if (f->depth >= stack_entries(f))
        return;
    if ((word_get(&e->node) >> 32 & (ENTRY_KEYED | ENTRY_ENDED)) != ENTRY_KEYED) {
        batch_add(f, &f->lane->mismatched, 1);
        return;
    }
    batch_add(f, record_kind(what) == RECORD_CARRIED ? &e->carried : &e->waited, ticks);
    if (record_kind(what) == RECORD_WAITED && !(record_flags(what) & RECORD_COUNTED) && f->top_node)
        batch_add(f, &nodes_at(f, f->top_node)->waited, ticks);
}
