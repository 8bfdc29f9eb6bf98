#include "fold_suspended.h"

#include "fold_batch.h"
#include "fold_pages.h"
#include "item_key.h"

struct suspended *suspended_new(struct folder *f)
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

void suspended_fill(struct folder *f, struct suspended *s, const struct suspended *image)
{
    batch_change(f, &s->item.key, word_get(&image->item.key));
    batch_change(f, &s->carried, word_get(&image->carried));
    batch_change(f, &s->waited, word_get(&image->waited));
    batch_change(f, &s->since, word_get(&image->since));
    batch_change(f, &s->node, word_get(&image->node));
    items_insert(f->items, &s->item);
}

void suspended_free(struct folder *f, struct suspended *s)
{
    batch_change(f, &s->node, 0);
    items_remove(f->items, &s->item);
    word_set(&s->item.next, f->free_suspended);
    f->free_suspended = segment_ref_of(f->base, s);
    f->suspended--;
}

void suspended_end_silently(struct folder *f, struct suspended *s)
{
    if (!(word_get(&s->node) >> 32 & ENTRY_FOREIGN))
        batch_add(f, &f->lane->silent_ends, 1);
    suspended_free(f, s);
}

void suspended_take(struct folder *f, uint64_t key, unsigned flags)
{
    struct suspended *s = items_find(f->items, key_suspended(key));
    if (s && flags & RECORD_SILENT)
        suspended_end_silently(f, s);
    else if (s)
        suspended_free(f, s);
}
