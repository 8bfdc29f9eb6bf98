#include "threads.h"

#include <inttypes.h>
#include <stdio.h>

#include "cells.h"
#include "terminal.h"
#include "text.h"

struct thread_row {
    struct profile_times t; /* sums over its nodes */
    const struct profile_thread *thread; /* (borrowed) */
};

const char *thread_name(const struct profile_thread *t)
{
    return t->merged ? "(threads that ended)" : t->name[0] ? t->name : "(no name)";
}

uint32_t tree_next(const struct profile *p, uint32_t i, unsigned *depth)
{
    if (p->node[i].first_child) {
        ++*depth;
        return p->node[i].first_child;
    }
    while (i && !p->node[i].next_sibling && *depth) {
        i = p->node[i].parent;
        --*depth;
    }
    return p->node[i].next_sibling;
}

static void sum_up(struct thread_row *row, const struct profile *p)
{
    unsigned depth = 0;
    for (uint32_t i = row->thread->first_root; i; i = tree_next(p, i, &depth)) {
        const struct profile_times *t = &p->node[i].t;
        row->t.calls += t->calls;
        row->t.open += t->open;
        row->t.exclusive += t->exclusive;
        row->t.off_exclusive += t->off_exclusive;
    }
}

#define ROW(pointer) ((const struct thread_row *)(pointer))
#define CELLS(pointer) ((const struct cells *)(pointer))

static void cell_tid(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, ROW(row)->thread->merged ? "-" : "%" PRIu32, ROW(row)->thread->tid);
}

static void cell_state(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    const struct profile_thread *t = ROW(row)->thread;
    bool alive = CELLS(context)->capture->subject->alive && !t->exited && !t->merged;
    (void)c;
    snprintf(buffer, size, "%s%s", alive ? "alive" : "ended", t->complete ? "" : ", incomplete");
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", thread_name(ROW(row)->thread));
}

static const struct column columns[] = {
    {"tid", "tid", "kernel's thread id", 1, false, 0, cell_tid, NULL, NULL},
    {"state", "state", "alive or ended", 1, true, 1, cell_state, NULL, NULL},
    {"calls", "calls", "calls begun", 1, false, 0, cell_count, key_calls, NULL},
    {"open", "open", "calls that have not ended", 1, false, 4, cell_count, key_open, NULL},
    {"time", "recorded", "time in recorded functions", 1, false, 0, cell_time, key_exclusive, NULL},
    {"percent", "%", "the same, as a share of all threads", 1, false, 3, cell_percent, key_exclusive, NULL},
    {"cpu", "CPU", "of it on a CPU", 1, false, 2, cell_cpu_time, key_exclusive_cpu, NULL},
    {"name", "name", "Python's name of the thread", 1, true, 0, cell_name, NULL, text_cut_end},
    {0},
};

bool threads_print(const struct capture *c, uint64_t limit, size_t width)
{
    struct table t;
    struct cells cells = {.capture = c, .whole = c->total};
    uint64_t count = 0;
    table_begin(&t, columns, 1, &cells);
    for (uint32_t i = 0; i < c->profile.threads; i++) {
        struct thread_row row = {.thread = &c->profile.thread[i]};
        if (!thread_recorded(row.thread) || count++ >= limit)
            continue;
        sum_up(&row, &c->profile);
        table_add(&t, &row);
    }
    bool whole = table_finish(&t, stdout, width, terminal_styled());
    if (count > limit)
        printf("%" PRIu64 " more threads not shown (--limit)\n", count - limit);
    return whole;
}
