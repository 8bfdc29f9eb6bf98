#include "interval_trees.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "siblings.h"

/* Trees of now, less those of before: a path is the same if it has the same functions from its root on. Below (other) several
 * nodes may be of one function, by different callers; what is to be subtracted is taken from them one after another. */
struct trees {
    struct profile *p;
    const struct profile *before;
    struct counts child; /* parent, function -> the first such child in p->node */
    uint32_t *at;        /* of before->node, by index: the same path in p->node; 0: none */
};

static uint64_t child_key(uint32_t parent, const struct profile_node *n)
{
    return 1ull << 63 | (uint64_t)parent << 25 | (uint64_t)(n->site & 0xffffff) << 1 | n->other;
}

static bool same_path(const struct profile_node *a, const struct profile_node *b) { return a->site == b->site && a->other == b->other; }

static int index_children_of(struct trees *t, uint32_t parent)
{
    struct profile *p = t->p;
    for (uint32_t i = p->node[parent].first_child; i; i = p->node[i].next_sibling) {
        uint64_t key = child_key(parent, &p->node[i]);
        if (!counts_get(&t->child, key) && !counts_set(&t->child, key, i))
            return -ENOMEM;
    }
    return 0;
}

static int index_children(struct trees *t)
{
    int r = 0;
    for (uint32_t i = 1; i <= t->p->nodes && r == 0; i++)
        r = index_children_of(t, i);
    return r;
}

/* ---- subtracting ---- */

/* Takes from `t` what there is of `rest`, which is left with what there was not. */
static void take_times(struct profile_times *t, struct profile_times *rest)
{
    struct profile_times had = *t, left = *rest;
    metric_subtract(t, rest);
    metric_subtract(&left, &had);
    *rest = left;
}

static uint32_t subtract_node(struct trees *t, uint32_t parent, const struct profile_node *earlier)
{
    struct profile *p = t->p;
    struct profile_times rest = earlier->t;
    uint32_t first = counts_get(&t->child, child_key(parent, earlier));
    for (uint32_t i = first; i && metric_any(&rest); i = p->node[i].next_sibling)
        if (same_path(&p->node[i], earlier))
            take_times(&p->node[i].t, &rest);
    return first;
}

/* `top`: the parent of the roots in p->node. */
static void subtract_tree(struct trees *t, uint32_t top, uint32_t first_root)
{
    const struct profile *before = t->before;
    unsigned depth = 0;
    for (uint32_t i = first_root; i; i = profile_next(before, i, &depth)) {
        uint32_t parent = depth ? t->at[before->node[i].parent] : top;
        t->at[i] = parent ? subtract_node(t, parent, &before->node[i]) : 0;
    }
}

/* ---- threads ---- */

static int compare_threads(const void *a, const void *b)
{
    const struct profile_thread *x = *(const struct profile_thread *const *)a, *y = *(const struct profile_thread *const *)b;
    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    return (x->lane > y->lane) - (x->lane < y->lane);
}

struct threads {
    const struct profile_thread **of_now; /* by process, lane */
    uint32_t count;
    struct profile_thread **merged; /* by process: where threads went that are gone */
};

static struct profile_thread *thread_of(const struct threads *x, const struct profile_thread *earlier)
{
    const struct profile_thread *const *found =
        x->count ? bsearch(&earlier, x->of_now, x->count, sizeof *x->of_now, compare_threads) : NULL;
    return (struct profile_thread *)(found ? *found : x->merged[earlier->process]);
}

static uint32_t last_process(const struct profile *p)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < p->threads; i++)
        last = p->thread[i].process > last ? p->thread[i].process : last;
    return last;
}

static bool find_threads(struct threads *x, struct profile *p, const struct profile *before)
{
    uint32_t a = last_process(p), b = last_process(before);
    x->of_now = calloc((size_t)p->threads + 1, sizeof *x->of_now);
    x->merged = calloc((size_t)(a > b ? a : b) + 1, sizeof *x->merged);
    if (!x->of_now || !x->merged)
        return false;
    for (uint32_t i = 0; i < p->threads; i++) {
        x->of_now[x->count++] = &p->thread[i];
        if (p->thread[i].merged)
            x->merged[p->thread[i].process] = &p->thread[i];
    }
    if (x->count)
        qsort(x->of_now, x->count, sizeof *x->of_now, compare_threads);
    return true;
}

static int subtract_threads(struct trees *t)
{
    struct threads x = {0};
    int r = find_threads(&x, t->p, t->before) ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < t->before->threads && r == 0; i++) {
        const struct profile_thread *earlier = &t->before->thread[i];
        struct profile_thread *thread = thread_of(&x, earlier);
        if (thread && thread->first_root)
            subtract_tree(t, t->p->node[thread->first_root].parent, earlier->first_root);
        if (thread)
            thread->roots = metric_minus(thread->roots, earlier->roots);
        if (thread && thread->merged)
            thread->count = metric_minus(thread->count, earlier->count);
    }
    free(x.of_now);
    free(x.merged);
    return r;
}

/* ---- what is left ---- */

static bool is_left(const struct profile_node *n) { return metric_any(&n->t) || n->t.open || n->t.waited || n->first_child; }

static void settle(struct profile_times *t, bool other)
{
    if (t->exclusive > t->inclusive && !other)
        t->exclusive = t->inclusive;
    if (t->off_inclusive > t->inclusive)
        t->off_inclusive = t->inclusive;
    if (t->off_exclusive > t->exclusive)
        t->off_exclusive = t->exclusive;
}

/* `order`: nodes of the thread, parents before children. From the last to the first each knows its children when its turn comes. */
static void link_again(struct profile *p, struct profile_thread *thread, const uint32_t *order, uint32_t count)
{
    uint32_t top = count ? p->node[order[0]].parent : 0;
    for (uint32_t i = 0; i < count; i++)
        p->node[order[i]].first_child = p->node[order[i]].next_sibling = 0;
    p->node[top].first_child = 0;
    for (uint32_t i = count; i; i--) {
        struct profile_node *n = &p->node[order[i - 1]];
        settle(&n->t, n->other);
        n->first_child = siblings_sort(p, n->first_child);
        if (!is_left(n))
            continue;
        n->next_sibling = p->node[n->parent].first_child;
        p->node[n->parent].first_child = order[i - 1];
    }
    thread->first_root = p->node[top].first_child = siblings_sort(p, p->node[top].first_child);
    if (!thread->merged && thread->complete)
        thread->count = thread->first_root != 0;
}

static int link_threads(struct profile *p)
{
    uint32_t *order = calloc((size_t)p->nodes + 1, sizeof *order);
    if (!order)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->threads; i++) {
        uint32_t count = 0;
        unsigned depth = 0;
        for (uint32_t k = p->thread[i].first_root; k; k = profile_next(p, k, &depth))
            order[count++] = k;
        link_again(p, &p->thread[i], order, count);
    }
    free(order);
    return 0;
}

/* ---- the whole ---- */

static bool copy(struct profile *p, const struct profile *now)
{
    p->node = calloc((size_t)now->nodes + 1, sizeof *p->node);
    p->thread = calloc((size_t)now->threads + 1, sizeof *p->thread);
    if (!p->node || !p->thread)
        return false;
    if (now->nodes)
        memcpy(p->node, now->node, ((size_t)now->nodes + 1) * sizeof *p->node);
    if (now->threads)
        memcpy(p->thread, now->thread, now->threads * sizeof *p->thread);
    p->nodes = now->nodes;
    p->threads = now->threads;
    return true;
}

int interval_add_trees(struct profile *p, const struct profile *now, const struct profile *before)
{
    struct trees t = {.p = p, .before = before};
    int r = copy(p, now) ? 0 : -ENOMEM;
    t.at = r == 0 ? calloc((size_t)before->nodes + 1, sizeof *t.at) : NULL;
    if (r == 0 && (!t.at || !counts_init(&t.child)))
        r = -ENOMEM;
    if (r == 0)
        r = index_children(&t);
    if (r == 0)
        r = subtract_threads(&t);
    if (r == 0)
        r = link_threads(p);
    counts_free(&t.child);
    free(t.at);
    return r;
}
