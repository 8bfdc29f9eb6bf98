#include <stdlib.h>

#include "array.h"
#include "flame.h"
#include "weight.h"

/* A path that counts something itself, looked at from its end: `node` is where we are on the way to its beginning. */
struct walker {
    uint64_t weight;
    uint64_t together; /* weight of all that are at the same function, for sorting */
    uint32_t node, thread;
    unsigned left; /* nodes from here on, this one included; 0: at the thread */
    uint32_t key;  /* where it is: index of a function, or of a thread behind them */
};

/* Walkers that came the same way, so far. */
struct crowd {
    size_t begin, end;
    unsigned depth; /* of the boxes that they become */
    uint64_t from;
};

struct inversion {
    struct flame *f;
    const struct export *e;
    uint64_t least;
    struct walker *walker;
    size_t count;
    struct crowd *crowd; /* yet to be drawn */
    size_t crowds, room;
};

/* ---- walkers ---- */

static void look_around(const struct profile *p, struct walker *w)
{
    const struct profile_site *site = w->left ? profile_site(p, p->node[w->node].site) : NULL;
    w->key = !w->left ? p->sites + 1 + w->thread : site ? (uint32_t)(site - p->site) : p->sites;
}

static void go_on(const struct profile *p, struct walker *w)
{
    w->left--;
    w->node = p->node[w->node].parent;
    look_around(p, w);
}

static void add_walkers(struct inversion *v, uint32_t thread)
{
    const struct profile *p = v->e->profile;
    unsigned depth = 0;
    for (uint32_t i = p->thread[thread].first_root; i; i = profile_next(p, i, &depth)) {
        uint64_t weight = weight_raw(v->e->metric, &p->node[i].t);
        if (weight == 0)
            continue;
        v->walker[v->count] = (struct walker){.weight = weight, .node = i, .thread = thread, .left = depth + 1};
        look_around(p, &v->walker[v->count++]);
        v->f->total += weight;
    }
}

/* ---- sorting a crowd: those at the same function together, the heaviest first ---- */

static int by_key(const void *x, const void *y)
{
    const struct walker *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

static int by_weight(const void *x, const void *y)
{
    const struct walker *a = x, *b = y;
    int r = (a->together < b->together) - (a->together > b->together);
    return r ? r : by_key(x, y);
}

static size_t end_of_group(const struct inversion *v, size_t begin, size_t end)
{
    size_t i = begin + 1;
    while (i < end && v->walker[i].key == v->walker[begin].key)
        i++;
    return i;
}

static uint64_t sum_group(const struct inversion *v, size_t begin, size_t end)
{
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += v->walker[i].weight;
    return sum;
}

static void sort_crowd(struct inversion *v, const struct crowd *c)
{
    struct walker *first = &v->walker[c->begin];
    size_t count = c->end - c->begin;
    if (end_of_group(v, c->begin, c->end) == c->end) {
        first->together = sum_group(v, c->begin, c->end);
        return; /* as most are, far from the ends: all came from the same caller */
    }
    qsort(first, count, sizeof *first, by_key);
    for (size_t i = c->begin, next; i < c->end; i = next) {
        next = end_of_group(v, i, c->end);
        uint64_t together = sum_group(v, i, next);
        for (size_t k = i; k < next; k++)
            v->walker[k].together = together;
    }
    qsort(first, count, sizeof *first, by_weight);
}

/* ---- boxes ---- */

static bool add_crowd(struct inversion *v, struct crowd c)
{
    struct crowd *crowds = array_room(v->crowd, v->crowds, &v->room, sizeof *crowds);
    if (!crowds)
        return false;
    v->crowd = crowds;
    v->crowd[v->crowds++] = c;
    return true;
}

/* Those for whom the way went on; the others began here. */
static struct crowd walk_on(struct inversion *v, size_t begin, size_t end, unsigned depth, uint64_t from)
{
    if (v->walker[begin].left == 0)
        return (struct crowd){.begin = end, .end = end};
    for (size_t i = begin; i < end; i++)
        go_on(v->e->profile, &v->walker[i]);
    return (struct crowd){.begin = begin, .end = end, .depth = depth, .from = from};
}

static bool draw_group(struct inversion *v, size_t begin, size_t end, unsigned depth, uint64_t from)
{
    const struct walker *w = &v->walker[begin];
    uint32_t threads_from = v->e->profile->sites + 1;
    bool is_thread = w->key >= threads_from;
    struct flame_box box = {.kind = is_thread ? FLAME_THREAD : FLAME_FUNCTION, .what = is_thread ? w->key - threads_from : w->key,
                            .depth = depth, .from = from, .value = w->together, .own = depth == 1 ? w->together : 0};
    if (!flame_add(v->f, &box))
        return false;
    struct crowd callers = walk_on(v, begin, end, depth + 1, from);
    return callers.begin == callers.end || add_crowd(v, callers);
}

/* Narrow ones, which are the last, are one box. */
static bool draw_small(struct inversion *v, const struct crowd *c, size_t begin, uint64_t from)
{
    struct flame_box box = {.kind = FLAME_SMALL, .depth = c->depth, .from = from, .value = sum_group(v, begin, c->end)};
    for (size_t i = begin; i < c->end; i = end_of_group(v, i, c->end))
        box.what++;
    return box.value < v->least || box.value == 0 || flame_add(v->f, &box);
}

static bool draw_crowd(struct inversion *v, struct crowd c)
{
    uint64_t from = c.from;
    size_t i = c.begin;
    sort_crowd(v, &c);
    while (i < c.end && v->walker[i].together >= v->least) {
        size_t next = end_of_group(v, i, c.end);
        uint64_t value = v->walker[i].together;
        if (!draw_group(v, i, next, c.depth, from))
            return false;
        from += value;
        i = next;
    }
    return draw_small(v, &c, i, from);
}

bool flame_make_inverted(struct flame *f, const struct export *e, uint64_t parts)
{
    const struct profile *p = e->profile;
    struct inversion v = {.f = f, .e = e, .walker = calloc((size_t)p->nodes + 1, sizeof *v.walker)};
    *f = (struct flame){.count = 0};
    for (uint32_t i = 0; v.walker && i < p->threads; i++)
        add_walkers(&v, i);
    v.least = flame_least(f, parts);
    bool whole = v.walker && flame_add(f, &(struct flame_box){.kind = FLAME_ALL, .value = f->total}) &&
                 add_crowd(&v, (struct crowd){.end = v.count, .depth = 1});
    while (whole && v.crowds)
        whole = draw_crowd(&v, v.crowd[--v.crowds]);
    free(v.walker);
    free(v.crowd);
    return whole;
}
