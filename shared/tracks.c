#include "tracks.h"

#include <stdbool.h>
#include <stdlib.h>

#include "chain.h"

#define PER_PAGE PAGE_ITEMS(struct track_record)

struct tracks {
    struct segment *segment;
    struct sites *sites;
    struct page_header **page;
    uint32_t pages, room;
    uint32_t unused; /* rows that nobody has, */
    uint32_t lowest; /* none of them below this index */
};

static struct track_record *at(const struct tracks *t, uint32_t index)
{
    return page_item(t->page[index / PER_PAGE], index % PER_PAGE, sizeof(struct track_record));
}

static uint32_t rows(const struct tracks *t) { return word_get(&t->segment->header->track_count); }

static bool make_room(struct tracks *t)
{
    if (t->pages < t->room)
        return true;
    uint32_t room = t->room ? 2 * t->room : 4;
    struct page_header **more = realloc(t->page, room * sizeof(struct page_header *));
    if (!more)
        return false;
    t->page = more;
    t->room = room;
    return true;
}

static bool add_page(struct tracks *t)
{
    uint32_t number = make_room(t) ? segment_pages(t->segment, 1) : 0;
    if (!number)
        return false;
    struct page_header *page = segment_page_at(t->segment->base, number);
    page->kind = PAGE_TRACK;
    word_put(t->pages ? &t->page[t->pages - 1]->next : &t->segment->header->track_first, number);
    t->page[t->pages++] = page;
    return true;
}

/* A row that nobody has, and that `track_count` has or is to have; UINT32_MAX: no room. */
static uint32_t unused_row(struct tracks *t)
{
    uint32_t index = rows(t);
    if (!t->unused)
        return index < t->pages * PER_PAGE || add_page(t) ? index : UINT32_MAX;
    while (word_get(&at(t, t->lowest)->profiler))
        t->lowest++;
    return t->lowest;
}

/* Counted when it says all: pairs with copier_tracks(). */
static void count_row(struct tracks *t, uint32_t index)
{
    if (index < rows(t)) {
        t->unused--;
        return;
    }
    word_put(&t->page[index / PER_PAGE]->used, index % PER_PAGE + 1);
    word_put(&t->segment->header->track_count, index + 1);
}

struct tracks *tracks_new(struct segment *segment, struct sites *sites)
{
    struct tracks *t = calloc(1, sizeof *t);
    if (t) {
        t->segment = segment;
        t->sites = sites;
    }
    return t;
}

void tracks_delete(struct tracks *t)
{
    if (t)
        free(t->page);
    free(t);
}

uint32_t tracks_add(struct tracks *t, const struct track *track)
{
    uint32_t index = unused_row(t);
    if (index == UINT32_MAX)
        return 0;
    struct track_record *r = at(t, index);
    word_put(&r->track, track->track);
    word_put(&r->site, track->site);
    word_put(&r->flags, track->flags);
    word_put(&r->id, sites_text(t->sites, track->id));
    word_put(&r->name, sites_text(t->sites, track->name));
    word_put(&r->profiler, track->profiler);
    count_row(t, index);
    return index + 1;
}

void tracks_change(struct tracks *t, uint32_t row, uint32_t flags, const char *name)
{
    if (!row || row > rows(t))
        return;
    word_put(&at(t, row - 1)->name, sites_text(t->sites, name));
    word_put(&at(t, row - 1)->flags, flags);
}

void tracks_remove(struct tracks *t, uint32_t profiler)
{
    for (uint32_t i = 0; i < rows(t) && profiler; i++)
        if (word_get(&at(t, i)->profiler) == profiler) {
            word_put(&at(t, i)->profiler, 0);
            t->unused++;
            t->lowest = i < t->lowest ? i : t->lowest;
        }
}
