#include "trees.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "cells.h"
#include "labels.h"
#include "terminal.h"
#include "threads.h"

#define INDENT_MAX 40 /* levels; deeper ones say their depth in digits */

struct tree_row {
    struct profile_times t; /* first: see cells.h */
    uint32_t node;          /* 0: paths that were folded into this row */
    uint32_t folded;        /* how many */
    unsigned depth;
};

struct tree {
    struct cells cells; /* first; the whole: the thread's roots */
    const struct trees_options *options;
    char **label;
    bool *fits; /* [nodes + 1]: the filter lets it stand; NULL: all do */
    struct tree_row *row;
    size_t rows, room;
    bool failed;
};

static const struct profile *profile_of(const struct tree *t) { return &t->cells.capture->profile; }

/* ---- the filter ---- */

/* A path that fits, and those that it begins with. */
static void mark_path(struct tree *t, uint32_t node)
{
    const struct profile *p = profile_of(t);
    for (uint32_t i = node; i && !t->fits[i]; i = p->node[i].parent)
        t->fits[i] = true;
}

static bool apply_filter(struct tree *t)
{
    const struct profile *p = profile_of(t);
    if (!t->options->filter->given)
        return true;
    bool *site = calloc((size_t)p->sites + 1, sizeof *site);
    t->fits = calloc((size_t)p->nodes + 1, sizeof *t->fits);
    for (uint32_t i = 0; site && i < p->sites; i++)
        site[i] = filter_fits_site(t->options->filter, &p->site[i], t->label[i]);
    for (uint32_t i = 1; site && t->fits && i <= p->nodes; i++) {
        const struct profile_site *s = p->node[i].other ? NULL : profile_site(p, p->node[i].site);
        if (s && site[s - p->site])
            mark_path(t, i);
    }
    bool whole = site && t->fits;
    free(site);
    return whole;
}

static bool stands(const struct tree *t, uint32_t node) { return !t->fits || t->fits[node]; }

/* ---- rows ---- */

/* Calls whose paths were given up: in all below (other), which has none of its own. */
static uint64_t calls_below(const struct profile *p, uint32_t other)
{
    uint64_t calls = 0;
    for (uint32_t i = p->node[other].first_child; i; i = p->node[i].next_sibling)
        calls += p->node[i].t.calls;
    return calls;
}

static struct profile_times times_of(const struct profile *p, uint32_t node)
{
    struct profile_times t = p->node[node].t;
    if (p->node[node].other)
        t.calls = calls_below(p, node);
    return t;
}

static void add_row(struct tree *t, const struct tree_row *row)
{
    struct tree_row *more = array_room(t->row, t->rows, &t->room, sizeof *more);
    t->failed |= !more;
    if (!more)
        return;
    t->row = more;
    t->row[t->rows++] = *row;
}

/* Paths that begin with it, itself included. */
static uint32_t count_paths(const struct tree *t, uint32_t node)
{
    unsigned depth = 0;
    uint32_t count = stands(t, node);
    const struct profile *p = profile_of(t);
    for (uint32_t i = p->node[node].first_child ? profile_next(p, node, &depth) : 0; i && depth; i = profile_next(p, i, &depth))
        count += stands(t, i);
    return count;
}

/* What has lost its path is always shown. */
static bool is_small(const struct tree *t, uint32_t node)
{
    const struct profile_node *n = &profile_of(t)->node[node];
    double share = t->cells.whole ? (double)n->t.inclusive / (double)t->cells.whole : 0;
    return !n->other && share * TREES_WHOLE < (double)t->options->least;
}

/* It and the siblings behind it, which take less, with all below them: a row for their sum. One alone is shown as it is. */
static void add_folded(struct tree *t, uint32_t node, unsigned depth)
{
    const struct profile *p = profile_of(t);
    struct tree_row row = {.depth = depth};
    uint32_t last = 0;
    for (uint32_t i = node; i; i = p->node[i].next_sibling) {
        if (!stands(t, i) || p->node[i].other)
            continue;
        metric_add(&row.t, &p->node[i].t, true);
        row.folded += count_paths(t, i);
        last = i;
    }
    if (row.folded == 1) {
        row.node = last;
        row.folded = 0;
    }
    if (row.node || row.folded)
        add_row(t, &row);
}

/* The same; (other) among them has a row of its own, and what is below it, one. */
static void add_small(struct tree *t, uint32_t node, unsigned depth)
{
    const struct profile *p = profile_of(t);
    add_folded(t, node, depth);
    for (uint32_t i = node; i; i = p->node[i].next_sibling)
        if (p->node[i].other && stands(t, i)) {
            add_row(t, &(struct tree_row){.t = times_of(p, i), .node = i, .depth = depth});
            add_folded(t, p->node[i].first_child, depth + 1);
        }
}

/* The next after all that is below it, its siblings and what is below them; 0: none. */
static uint32_t after_siblings(const struct profile *p, uint32_t i, unsigned *depth)
{
    while (*depth) {
        i = p->node[i].parent;
        --*depth;
        if (p->node[i].next_sibling)
            return p->node[i].next_sibling;
    }
    return 0;
}

/* The one behind it on its level, or on the nearest level above that has one. */
static uint32_t after_subtree(const struct profile *p, uint32_t i, unsigned *depth)
{
    return p->node[i].next_sibling ? p->node[i].next_sibling : after_siblings(p, i, depth);
}

static void make_rows(struct tree *t, uint32_t root)
{
    unsigned depth = 0;
    const struct profile *p = profile_of(t);
    t->rows = 0;
    for (uint32_t i = root; i && !t->failed;) {
        if (!stands(t, i)) {
            i = after_subtree(p, i, &depth);
        } else if (is_small(t, i)) {
            add_small(t, i, depth);
            i = after_siblings(p, i, &depth);
        } else {
            add_row(t, &(struct tree_row){.t = times_of(p, i), .node = i, .depth = depth});
            i = profile_next(p, i, &depth);
        }
    }
}

/* ---- the costliest ---- */

static int compare_inclusive(const void *a, const void *b)
{
    const struct tree_row *x = *(const struct tree_row *const *)a, *y = *(const struct tree_row *const *)b;
    int r = (x->t.inclusive < y->t.inclusive) - (x->t.inclusive > y->t.inclusive);
    return r ? r : (x > y) - (x < y);
}

/* As many paths as may be shown, in the order of the tree. A caller takes as long as what it calls and comes before it, so that it is
 * among them if that is. How many are left out. */
static uint64_t keep_costliest(struct tree *t)
{
    size_t limit = t->options->limit, kept = 0;
    if (t->rows <= limit)
        return 0;
    const struct tree_row **order = calloc(t->rows, sizeof *order);
    bool *keep = calloc(t->rows, sizeof *keep);
    for (size_t i = 0; order && i < t->rows; i++)
        order[i] = &t->row[i];
    if (order)
        qsort(order, t->rows, sizeof *order, compare_inclusive);
    for (size_t i = 0; order && keep && i < limit; i++)
        keep[order[i] - t->row] = true;
    uint64_t left_out = 0;
    for (size_t i = 0; keep && order && i < t->rows; i++)
        if (keep[i])
            t->row[kept++] = t->row[i];
        else
            left_out += t->row[i].node ? 1 : t->row[i].folded;
    t->failed |= !order || !keep;
    t->rows = kept;
    free(order);
    free(keep);
    return left_out;
}

/* ---- columns ---- */

#define ROW(pointer) ((const struct tree_row *)(pointer))
#define TREE(pointer) ((const struct tree *)(pointer))

static void write_name(const struct tree *t, const struct tree_row *row, char *buffer, size_t size)
{
    const struct profile *p = profile_of(t);
    const struct profile_site *site = row->node ? profile_site(p, p->node[row->node].site) : NULL;
    if (row->node)
        label_with_place(buffer, size, site ? label_of(t->label, p, site) : "(other paths)", site);
    else
        snprintf(buffer, size, "(%" PRIu32 " paths below %g %%: --min-share)", row->folded, (double)t->options->least * 100 / TREES_WHOLE);
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    unsigned depth = ROW(row)->depth, indent = depth < INDENT_MAX ? depth : INDENT_MAX;
    int used = snprintf(buffer, size, "%*s", (int)indent * 2, "");
    (void)c;
    if (depth > INDENT_MAX)
        used += snprintf(buffer + used, size - (size_t)used, "[%u] ", depth);
    write_name(TREE(context), ROW(row), buffer + used, size - (size_t)used);
}

static bool unless_chosen(const void *context) { (void)context; return true; }

const struct column tree_columns[] = {
    {"calls", "calls", "calls begun", 1, false, 0, cell_count, key_calls, NULL, NULL},
    {"inclusive", "inclusive", "time on this path and below", 1, false, 0, cell_time, key_inclusive, NULL, NULL},
    {"exclusive", "exclusive", "time on this path itself", 1, false, 2, cell_time, key_exclusive, NULL, NULL},
    {"cpu", "CPU", "exclusive time on a CPU", 1, false, 2, cell_cpu_time, key_exclusive_cpu, NULL, unless_chosen},
    {"open", "open", "calls that have not ended", 1, false, 3, cell_count, key_open, NULL, NULL},
    {"percent", "%", "inclusive, as a share of the thread", 1, false, 1, cell_percent, key_inclusive, NULL, NULL},
    {"name", "name", "function, below its caller", 1, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

/* ---- printing ---- */

static bool print_tree(struct tree *tree, const struct profile_thread *thread)
{
    struct table t;
    tree->cells.whole = thread->roots;
    make_rows(tree, thread->first_root);
    uint64_t left_out = keep_costliest(tree);
    table_begin(&t, tree_columns, 1, tree);
    table_choose(&t, tree->options->columns);
    t.failed |= tree->failed;
    for (size_t i = 0; i < tree->rows; i++)
        table_add(&t, &tree->row[i]);
    bool whole = table_finish(&t, stdout, tree->options->width, terminal_styled());
    if (left_out)
        printf("%" PRIu64 " more paths not shown (--limit)\n", left_out);
    return whole;
}

static void print_heading(const struct capture *c, const struct profile_thread *thread)
{
    putchar('\n');
    if (c->whole_tree)
        printf("process %d ", (int)capture_process(c, thread->process)->pid);
    if (thread->merged)
        printf("%s\n", thread_name(thread));
    else
        printf("thread %" PRIu32 " %s%s\n", thread->tid, thread_name(thread), thread->exited ? " (ended)" : "");
}

/* Has the thread a path that the filter lets stand? */
static bool has_any(const struct tree *t, const struct profile_thread *thread)
{
    for (uint32_t i = thread->first_root; i; i = profile_of(t)->node[i].next_sibling)
        if (stands(t, i))
            return true;
    return false;
}

bool trees_print(const struct capture *c, const struct trees_options *o)
{
    struct tree tree = {.cells.capture = c, .options = o, .label = labels_make(&c->profile)};
    bool whole = tree.label && apply_filter(&tree);
    for (uint32_t i = 0; whole && i < c->profile.threads; i++) {
        const struct profile_thread *thread = &c->profile.thread[i];
        if (!has_any(&tree, thread))
            continue;
        print_heading(c, thread);
        whole = print_tree(&tree, thread);
    }
    labels_free(tree.label, &c->profile);
    free(tree.fits);
    free(tree.row);
    return whole;
}
