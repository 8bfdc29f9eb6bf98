#include "merged.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOT 1u /* node 1 is the one that nobody shows; path i is node i + 1 */

static uint64_t known_or_0(uint64_t value) { return value == TALLY_UNKNOWN ? 0 : value; }

static uint64_t value_of(const struct comparison *c, const struct path_change *p, enum side side, enum quantity q)
{
    return known_or_0(comparison_path_median(c, p, side, q));
}

static void fill_node(const struct comparison *c, const struct path_change *p, struct profile_node *n)
{
    bool other = p->function == TALLY_OTHER;
    uint64_t exclusive = value_of(c, p, SIDE_B, QUANTITY_EXCLUSIVE), cpu = value_of(c, p, SIDE_B, QUANTITY_CPU);
    *n = (struct profile_node){.site = other ? 0 : p->function + 1, .other = other, .parent = p->parent + ROOT};
    n->t.calls = value_of(c, p, SIDE_B, QUANTITY_CALLS);
    n->t.exclusive = exclusive;
    n->t.off_exclusive = exclusive > cpu ? exclusive - cpu : 0;
    n->t.inclusive = value_of(c, p, SIDE_B, QUANTITY_INCLUSIVE);
    n->t.elapsed = value_of(c, p, SIDE_B, QUANTITY_ELAPSED);
}

/* By parent, then by how much time either side has there, falling. */
struct order {
    const struct comparison *c;
    const uint64_t *most; /* of each path */
};

static int compare_paths(const void *x, const void *y, void *order)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    const struct order *o = order;
    uint32_t p = o->c->path[a].parent, q = o->c->path[b].parent;
    if (p != q)
        return p < q ? -1 : 1;
    if (o->most[a] != o->most[b])
        return o->most[a] > o->most[b] ? -1 : 1;
    return a < b ? -1 : 1;
}

static void link_nodes(const struct comparison *c, struct profile *p, const uint32_t *path)
{
    for (size_t i = 0; i < c->paths; i++) {
        uint32_t node = path[i] + ROOT, parent = p->node[node].parent;
        bool first = i == 0 || c->path[path[i - 1]].parent != c->path[path[i]].parent;
        if (first)
            p->node[parent].first_child = node;
        else
            p->node[path[i - 1] + ROOT].next_sibling = node;
    }
    p->thread[0].first_root = p->node[ROOT].first_child;
}

static bool make_nodes(struct merged *m, const struct comparison *c)
{
    struct profile *p = &m->profile;
    uint64_t *most = calloc(c->paths + 1, sizeof *most);
    uint32_t *path = calloc(c->paths + 1, sizeof *path);
    struct order order = {c, most};
    for (size_t i = 1; most && path && i <= c->paths; i++) {
        const struct path_change *change = &c->path[i];
        uint64_t a = value_of(c, change, SIDE_A, QUANTITY_INCLUSIVE), b = value_of(c, change, SIDE_B, QUANTITY_INCLUSIVE);
        fill_node(c, change, &p->node[i + ROOT]);
        m->before[i + ROOT] = value_of(c, change, SIDE_A, c->metric);
        m->gone += change->path[SIDE_B] ? 0 : m->before[i + ROOT];
        most[i] = a > b ? a : b;
        path[i - 1] = (uint32_t)i;
    }
    bool whole = most && path;
    if (whole && c->paths) {
        qsort_r(path, c->paths, sizeof *path, compare_paths, &order);
        link_nodes(c, p, path);
    }
    free(most);
    free(path);
    return whole;
}

static void make_sites(struct profile *p, const struct comparison *c)
{
    for (size_t i = 0; i < c->changes; i++) {
        const struct identity *who = change_who(&c->change[i]);
        p->site[i] = (struct profile_site){.id = (uint32_t)i + 1, .name = "", .line = who->line, .track = who->track, .kind = who->kind};
        p->site[i].qualname = (char *)who->name;
        p->site[i].module = (char *)who->module;
        p->site[i].file = (char *)who->file;
    }
}

int merged_make(struct merged *m, const struct comparison *c)
{
    struct profile *p = &m->profile;
    *m = (struct merged){.gone = 0};
    p->site = calloc(c->changes + 1, sizeof *p->site);
    p->node = calloc(c->paths + 1 + ROOT, sizeof *p->node);
    p->thread = calloc(1, sizeof *p->thread);
    m->before = calloc(c->paths + 1 + ROOT, sizeof *m->before);
    if (!p->site || !p->node || !p->thread || !m->before)
        return -ENOMEM;
    p->sites = (uint32_t)c->changes;
    p->nodes = (uint32_t)c->paths + ROOT;
    p->threads = 1;
    snprintf(p->thread[0].name, sizeof p->thread[0].name, "all threads");
    make_sites(p, c);
    return make_nodes(m, c) ? 0 : -ENOMEM;
}

void merged_free(struct merged *m)
{
    free(m->profile.site);
    free(m->profile.node);
    free(m->profile.thread);
    free(m->before);
    *m = (struct merged){.gone = 0};
}
