#include <inttypes.h>
#include <stdio.h>

#include "cells.h"
#include "labels.h"
#include "terminal.h"
#include "text.h"
#include "threads.h"

#define INDENT_MAX 40 /* levels; deeper ones say their depth in digits */

struct tree {
    struct cells cells; /* first; the whole: the thread's roots */
    char **label;
};

/* Calls whose paths were given up: in all below (other), which has none of its own. */
static uint64_t calls_below(const struct profile *p, uint32_t other)
{
    uint64_t calls = 0;
    for (uint32_t i = p->node[other].first_child; i; i = p->node[i].next_sibling)
        calls += p->node[i].t.calls;
    return calls;
}

struct tree_row {
    struct profile_times t; /* first */
    uint32_t site;
    unsigned depth;
};

#define ROW(pointer) ((const struct tree_row *)(pointer))
#define TREE(pointer) ((const struct tree *)(pointer))

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    const struct tree *t = TREE(context);
    unsigned depth = ROW(row)->depth, indent = depth < INDENT_MAX ? depth : INDENT_MAX;
    int used = snprintf(buffer, size, "%*s", (int)indent * 2, "");
    (void)c;
    if (depth > INDENT_MAX)
        used += snprintf(buffer + used, size - (size_t)used, "[%u] ", depth);
    const struct profile_site *site = profile_site(&t->cells.capture->profile, ROW(row)->site);
    const char *label = site ? label_of(t->label, &t->cells.capture->profile, site) : "(other paths)";
    label_with_place(buffer + used, size - (size_t)used, label, site);
}

static const struct column columns[] = {
    {"calls", "calls", "calls begun", 1, false, 0, cell_count, key_calls, NULL},
    {"inclusive", "inclusive", "time on this path and below", 1, false, 0, cell_time, key_inclusive, NULL},
    {"exclusive", "exclusive", "time on this path itself", 1, false, 2, cell_time, key_exclusive, NULL},
    {"open", "open", "calls that have not ended", 1, false, 3, cell_count, key_open, NULL},
    {"percent", "%", "inclusive, as a share of the thread", 1, false, 1, cell_percent, key_inclusive, NULL},
    {"name", "name", "function, below its caller", 1, true, 0, cell_name, NULL, text_cut_path},
    {0},
};

static bool print_tree(struct tree *tree, const struct profile_thread *thread, uint64_t limit, size_t width)
{
    struct table t;
    const struct profile *p = &tree->cells.capture->profile;
    unsigned depth = 0;
    uint64_t left_out = 0;
    tree->cells.whole = thread->roots;
    table_begin(&t, columns, 1, tree);
    for (uint32_t i = thread->first_root; i; i = profile_next(p, i, &depth)) {
        struct tree_row row = {p->node[i].t, p->node[i].site, depth};
        if (p->node[i].other)
            row.t.calls = calls_below(p, i);
        if (t.rows < limit)
            table_add(&t, &row);
        else
            left_out++;
    }
    bool whole = table_finish(&t, stdout, width, terminal_styled());
    if (left_out)
        printf("%" PRIu64 " more paths not shown (--limit)\n", left_out);
    return whole;
}

static void print_heading(const struct capture *c, const struct profile_thread *thread)
{
    putchar('\n');
    if (c->family)
        printf("process %d ", (int)capture_process(c, thread->process)->pid);
    if (thread->merged)
        printf("%s\n", thread_name(thread));
    else
        printf("thread %" PRIu32 " %s%s\n", thread->tid, thread_name(thread), thread->exited ? " (ended)" : "");
}

bool trees_print(const struct capture *c, uint64_t limit, size_t width)
{
    struct tree tree = {.cells.capture = c, .label = labels_make(&c->profile)};
    bool whole = tree.label != NULL;
    for (uint32_t i = 0; whole && i < c->profile.threads; i++) {
        const struct profile_thread *thread = &c->profile.thread[i];
        if (!thread->first_root)
            continue;
        print_heading(c, thread);
        whole = print_tree(&tree, thread, limit, width);
    }
    labels_free(tree.label, &c->profile);
    return whole;
}
