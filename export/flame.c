#include "flame.h"

#include <stdlib.h>

#include "array.h"
#include "weight.h"

void flame_free(struct flame *f)
{
    free(f->box);
    *f = (struct flame){0};
}

bool flame_add(struct flame *f, const struct flame_box *box)
{
    struct flame_box *boxes = array_room(f->box, f->count, &f->room, sizeof *boxes);
    if (!boxes)
        return false;
    f->box = boxes;
    f->box[f->count++] = *box;
    if (box->depth >= f->depths)
        f->depths = box->depth + 1;
    return true;
}

/* ---- from callers to callees ---- */

struct level { /* of siblings whose parent is being drawn */
    uint64_t next; /* where the next one begins */
    uint64_t small_value;
    uint32_t small_count;
};

struct layout {
    struct flame *f;
    const struct export *e;
    uint64_t *inclusive; /* of each node, by metric */
    uint64_t *before;    /* the same, of the earlier profile */
    uint64_t least;
    struct level *level;
    size_t levels, room;
};

/* One deeper than the deepest that is open: its boxes begin where its parent does. */
static bool open_level(struct layout *l, uint64_t from)
{
    struct level *levels = array_room(l->level, l->levels, &l->room, sizeof *levels);
    if (!levels)
        return false;
    l->level = levels;
    l->level[l->levels++] = (struct level){.next = from};
    return true;
}

/* Leaves the levels that lie deeper: their narrow ones become a box each. */
static bool close_levels(struct layout *l, size_t left)
{
    for (; l->levels > left; l->levels--) {
        const struct level *level = &l->level[l->levels - 1];
        struct flame_box box = {.kind = FLAME_SMALL, .what = level->small_count, .depth = (unsigned)l->levels - 1, .from = level->next,
                                .value = level->small_value};
        if (box.value && box.value >= l->least && !flame_add(l->f, &box))
            return false;
    }
    return true;
}

/* A box that follows its siblings, and room for its children. */
static bool add_box(struct layout *l, struct flame_box box)
{
    box.depth = (unsigned)l->levels - 1;
    box.from = l->level[box.depth].next;
    l->level[box.depth].next += box.value;
    return flame_add(l->f, &box) && open_level(l, box.from);
}

static void add_small(struct layout *l, uint64_t value)
{
    struct level *level = &l->level[l->levels - 1];
    level->small_value += value;
    level->small_count += value != 0;
}

/* What lies below a narrow one is narrower, and is left out with it: its depth has no level. */
static bool place_node(struct layout *l, uint32_t i, size_t depth)
{
    const struct profile *p = l->e->profile;
    const struct profile_node *n = &p->node[i];
    uint64_t value = l->inclusive[i];
    if (depth + 1 > l->levels)
        return true;
    if (!close_levels(l, depth + 1))
        return false;
    if (value == 0 || value < l->least) {
        add_small(l, value);
        return true;
    }
    const struct profile_site *site = profile_site(p, n->site);
    return add_box(l, (struct flame_box){.kind = FLAME_FUNCTION, .what = site ? (uint32_t)(site - p->site) : p->sites, .value = value,
                                         .own = weight_raw(l->e->metric, &n->t), .before = l->before[i]});
}

#define FIRST_NODES 2 /* depth of a thread's roots: below the whole and the thread */

static bool place_thread(struct layout *l, uint32_t number, uint64_t value)
{
    const struct profile *p = l->e->profile;
    unsigned depth = 0;
    if (!close_levels(l, FIRST_NODES))
        return false;
    if (value == 0 || value < l->least) {
        add_small(l, value);
        return true;
    }
    bool whole = add_box(l, (struct flame_box){.kind = FLAME_THREAD, .what = number, .value = value});
    for (uint32_t i = p->thread[number].first_root; whole && i; i = profile_next(p, i, &depth))
        whole = place_node(l, i, (size_t)depth + FIRST_NODES);
    return whole;
}

/* Sums of what nodes count and what is below them. Gives the thread's. `order`: room for its nodes, parents before children. */
static uint64_t sum_thread(struct layout *l, const struct profile_thread *t, uint32_t *order)
{
    const struct profile *p = l->e->profile;
    unsigned depth = 0;
    size_t count = 0;
    uint64_t total = 0;
    for (uint32_t i = t->first_root; i; i = profile_next(p, i, &depth)) {
        l->inclusive[i] = weight_raw(l->e->metric, &p->node[i].t);
        l->before[i] = l->e->before ? l->e->before[i] : 0;
        total += l->inclusive[i];
        order[count++] = i;
    }
    while (count) {
        uint32_t i = order[--count];
        l->inclusive[p->node[i].parent] += l->inclusive[i];
        l->before[p->node[i].parent] += l->before[i];
    }
    return total;
}

static bool place_all(struct layout *l, const uint64_t *of_thread)
{
    const struct profile *p = l->e->profile;
    bool whole = open_level(l, 0) && add_box(l, (struct flame_box){.kind = FLAME_ALL, .value = l->f->total});
    for (uint32_t i = 0; whole && i < p->threads; i++)
        whole = place_thread(l, i, of_thread[i]);
    return whole && close_levels(l, 0);
}

bool flame_make(struct flame *f, const struct export *e, uint64_t parts)
{
    const struct profile *p = e->profile;
    struct layout l = {.f = f, .e = e, .inclusive = calloc((size_t)p->nodes + 1, sizeof *l.inclusive)};
    l.before = calloc((size_t)p->nodes + 1, sizeof *l.before);
    uint32_t *order = calloc((size_t)p->nodes + 1, sizeof *order);
    uint64_t *of_thread = calloc((size_t)p->threads + 1, sizeof *of_thread);
    bool whole = l.inclusive && l.before && order && of_thread;
    *f = (struct flame){.count = 0};
    for (uint32_t i = 0; whole && i < p->threads; i++) {
        of_thread[i] = sum_thread(&l, &p->thread[i], order);
        f->total += of_thread[i];
    }
    l.least = flame_least(f, parts);
    whole = whole && place_all(&l, of_thread);
    free(l.inclusive);
    free(l.before);
    free(l.level);
    free(order);
    free(of_thread);
    return whole;
}
