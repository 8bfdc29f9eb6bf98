#include "track_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "profile.h"

struct maker {
    const struct snapshot *s;
    struct track_list *list;
    size_t room;
    const struct consumer *profiler;
    struct profile seen; /* by it */
    bool *filled;        /* by row of a track: something is in it */
};

/* ---- lines ---- */

static char *text_of(const struct snapshot *s, uint32_t ref)
{
    char *text = snapshot_text(s, ref);
    if (text)
        process_printable(text);
    return text;
}

static void free_line(struct track_line *l)
{
    free(l->id);
    free(l->name);
    free(l->place);
    free(l->file);
}

static int add(struct maker *m, struct track_line line)
{
    struct track_list *list = m->list;
    if (list->count == m->room) {
        size_t room = m->room ? 2 * m->room : 64;
        struct track_line *more = realloc(list->line, room * sizeof *more);
        if (!more) {
            free_line(&line);
            return -ENOMEM;
        }
        list->line = more;
        m->room = room;
    }
    list->line[list->count++] = line;
    return 0;
}

static int fill_track(struct maker *m, struct track_line *l, uint32_t row)
{
    const struct track_record *r = &m->s->track[row];
    l->track = row;
    l->enabled = r->flags & TRACK_ENABLED;
    l->word = r->flags & TRACK_WORD;
    l->id = text_of(m->s, r->id);
    l->name = text_of(m->s, r->name);
    return l->id && l->name ? 0 : -ENOMEM;
}

static uint64_t hits_of(const struct maker *m, uint32_t site)
{
    const struct profile_site *p = profile_site(&m->seen, site);
    return p ? p->spread.ended : 0;
}

static int fill_place(struct maker *m, struct track_line *l, const struct track_record *r)
{
    const struct site_record *site = &m->s->site[r->site];
    l->kind = site->kind;
    l->place = text_of(m->s, r->id);
    l->file = text_of(m->s, site->file);
    l->line = site->line;
    l->hits = hits_of(m, r->site);
    return l->place && l->file ? 0 : -ENOMEM;
}

/* ---- rows ---- */

static bool is_track(const struct maker *m, uint32_t row)
{
    return row && row <= m->s->tracks && m->s->track[row].profiler == m->profiler->number && !m->s->track[row].track;
}

static bool is_place(const struct maker *m, const struct track_record *r)
{
    return r->profiler == m->profiler->number && is_track(m, r->track) && r->site && r->site <= m->s->sites;
}

static int add_row(struct maker *m, uint32_t track, const struct track_record *place)
{
    struct track_line l = {.profiler = m->profiler};
    int error = track ? fill_track(m, &l, track) : 0;
    if (error == 0 && place)
        error = fill_place(m, &l, place);
    if (error == 0)
        return add(m, l);
    free_line(&l);
    return error;
}

static int add_places(struct maker *m)
{
    int error = 0;
    for (uint32_t i = 1; i <= m->s->tracks && error == 0; i++) {
        const struct track_record *r = &m->s->track[i];
        if (!is_place(m, r))
            continue;
        m->filled[r->track] = true;
        error = add_row(m, r->track, r);
    }
    return error;
}

static int add_tracks_without(struct maker *m)
{
    int error = 0;
    for (uint32_t i = 1; i <= m->s->tracks && error == 0; i++)
        if (is_track(m, i) && !m->filled[i])
            error = add_row(m, i, NULL);
    return error;
}

static int add_profiler(struct maker *m)
{
    size_t before = m->list->count;
    int error = profile_make_view(&m->seen, m->s, m->profiler->number);
    if (error < 0)
        return error;
    error = add_places(m);
    if (error == 0)
        error = add_tracks_without(m);
    if (error == 0 && m->list->count == before)
        error = add_row(m, 0, NULL);
    profile_free(&m->seen);
    return error;
}

/* ---- their order ---- */

static int compare_counts(uint64_t x, uint64_t y) { return (x > y) - (x < y); }

/* Numbers first, by their value, which may be of any length; then words. */
static int compare_ids(const struct track_line *x, const struct track_line *y)
{
    size_t a = strlen(x->id), b = strlen(y->id);
    if (x->word != y->word)
        return x->word ? 1 : -1;
    return a != b && !x->word ? compare_counts(a, b) : strcmp(x->id, y->id);
}

static int compare(const void *a, const void *b)
{
    const struct track_line *x = a, *y = b;
    int r = compare_counts(x->profiler->number, y->profiler->number);
    if (r == 0 && (!x->track || !y->track))
        return 0;
    if (r == 0)
        r = compare_ids(x, y);
    if (r == 0)
        r = compare_counts(x->track, y->track);
    if (r || !x->place || !y->place)
        return r;
    r = strcmp(x->place, y->place);
    if (r == 0)
        r = strcmp(x->file, y->file);
    if (r == 0)
        r = compare_counts(x->line, y->line);
    return r ? r : compare_counts(x->kind, y->kind);
}

/* A place with several sites is one. */
static void join_places(struct track_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct track_line *last = kept ? &list->line[kept - 1] : NULL, *l = &list->line[i];
        if (last && l->place && last->place && compare(last, l) == 0) {
            last->hits += l->hits;
            free_line(l);
        } else
            list->line[kept++] = *l;
    }
    list->count = kept;
}

int track_list_make(struct track_list *list, const struct snapshot *s)
{
    struct maker m = {.s = s, .list = list};
    *list = (struct track_list){.count = 0};
    m.filled = calloc((size_t)s->tracks + 1, sizeof *m.filled);
    int error = m.filled ? 0 : -ENOMEM;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS && error == 0; i++) {
        m.profiler = &s->audiences.consumer[i];
        if (m.profiler->number && m.profiler->kind == CONSUMER_PROFILER && !(m.profiler->flags & CONSUMER_FORMER))
            error = add_profiler(&m);
    }
    free(m.filled);
    if (error < 0)
        track_list_free(list);
    else if (list->count) {
        qsort(list->line, list->count, sizeof *list->line, compare);
        join_places(list);
    }
    return error;
}

void track_list_free(struct track_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_line(&list->line[i]);
    free(list->line);
    *list = (struct track_list){.count = 0};
}
