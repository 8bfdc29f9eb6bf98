#include "snapshot_tracks.h"

#include <errno.h>
#include <stdlib.h>

#include "chain.h"

#define LOOKS 20 /* at a row that changes hands meanwhile */

/* One that never rests is nobody's: pairs with tracks_add(). */
static void copy_row(struct track_record *to, const struct track_record *from)
{
    for (int look = 0; look < LOOKS; look++) {
        uint32_t profiler = word_read(&from->profiler);
        *to = (struct track_record){.track = word_read(&from->track), .site = word_read(&from->site), .flags = word_read(&from->flags)};
        to->id = word_read(&from->id);
        to->name = word_read(&from->name);
        to->profiler = profiler;
        if (word_get(&from->profiler) == profiler)
            return;
    }
    to->profiler = 0;
}

static void take_rows(struct copier *c, const struct page_header *page, uint32_t done, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        copy_row(&c->s->track[1 + done + i], page_item(page, i, sizeof(struct track_record)));
}

int copier_tracks(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    const uint32_t per_page = PAGE_ITEMS(struct track_record);
    uint32_t count = word_read(&h->track_count), first = word_read(&h->track_first);
    copier_refresh(c);
    if (count / per_page > c->limit)
        return -EBADMSG;
    c->s->track = calloc((size_t)count + 1, sizeof *c->s->track);
    if (!c->s->track)
        return -ENOMEM;
    if (copier_table(c, PAGE_TRACK, first, count, per_page, take_rows) < 0)
        return -EBADMSG;
    c->s->tracks = count;
    return 0;
}
