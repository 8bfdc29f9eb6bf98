#include "difference.h"

#include <stdlib.h>

struct profile_times *difference_sites(const struct profile *now, const struct profile *before)
{
    struct profile_times *row = calloc((size_t)now->sites + 1, sizeof *row);
    for (uint32_t i = 0; row && i < now->sites; i++) {
        const struct profile_site *earlier = before ? profile_site(before, now->site[i].id) : NULL;
        row[i] = now->site[i].t;
        if (earlier)
            metric_subtract(&row[i], &earlier->t);
    }
    return row;
}

/* ---- threads ---- */

static void sum_up(struct profile_times *t, const struct profile *p, const struct profile_thread *thread)
{
    unsigned depth = 0;
    for (uint32_t i = thread->first_root; i; i = profile_next(p, i, &depth))
        metric_add(t, &p->node[i].t, false);
}

struct earlier {
    const struct profile_thread *thread;
    struct profile_times t;
};

static int compare_lanes(const void *a, const void *b)
{
    const struct profile_thread *x = ((const struct earlier *)a)->thread, *y = ((const struct earlier *)b)->thread;
    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    return (x->lane > y->lane) - (x->lane < y->lane);
}

/* What a thread had that it has no more went to the merged ones; all of it, if the thread is gone. */
static void add_moved(struct profile_times *moved, const struct profile_times *before, const struct profile_times *now)
{
    struct profile_times gone = *before;
    metric_subtract(&gone, now);
    metric_add(moved, &gone, false);
}

/* `earlier` is sorted by lane; what is found there is used up. `moved`: by process. */
static void subtract_threads(struct profile_times *row, const struct profile *now, struct earlier *earlier, uint32_t count, struct profile_times *moved)
{
    for (uint32_t i = 0; i < now->threads; i++) {
        const struct profile_thread *thread = &now->thread[i];
        struct earlier *b = bsearch(&(struct earlier){.thread = thread}, earlier, count, sizeof *earlier, compare_lanes);
        if (!b)
            continue;
        if (thread->complete && !thread->merged)
            add_moved(&moved[thread->process], &b->t, &row[i]);
        metric_subtract(&row[i], &b->t);
        b->t = (struct profile_times){0};
    }
    for (uint32_t i = 0; i < count; i++)
        add_moved(&moved[earlier[i].thread->process], &earlier[i].t, &(struct profile_times){0});
    for (uint32_t i = 0; i < now->threads; i++)
        if (now->thread[i].merged)
            metric_subtract(&row[i], &moved[now->thread[i].process]);
}

static uint32_t last_process(const struct profile *p)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < p->threads; i++)
        last = p->thread[i].process > last ? p->thread[i].process : last;
    return last;
}

/* False: no memory. */
static bool subtract_earlier(struct profile_times *row, const struct profile *now, const struct profile *before)
{
    uint32_t a = last_process(now), b = last_process(before);
    struct earlier *earlier = calloc((size_t)before->threads + 1, sizeof *earlier);
    struct profile_times *moved = calloc((size_t)(a > b ? a : b) + 1, sizeof *moved);
    bool whole = earlier && moved;
    for (uint32_t i = 0; whole && i < before->threads; i++) {
        earlier[i].thread = &before->thread[i];
        sum_up(&earlier[i].t, before, &before->thread[i]);
    }
    if (whole) {
        qsort(earlier, before->threads, sizeof *earlier, compare_lanes);
        subtract_threads(row, now, earlier, before->threads, moved);
    }
    free(earlier);
    free(moved);
    return whole;
}

struct profile_times *difference_threads(const struct profile *now, const struct profile *before)
{
    struct profile_times *row = calloc((size_t)now->threads + 1, sizeof *row);
    for (uint32_t i = 0; row && i < now->threads; i++)
        sum_up(&row[i], now, &now->thread[i]);
    if (row && before && !subtract_earlier(row, now, before)) {
        free(row);
        return NULL;
    }
    return row;
}
