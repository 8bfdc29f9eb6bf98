#include "threads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "terminal.h"
#include "text.h"

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

/* ---- rows ---- */

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

/* Those that recorded anything, in the profile's order. NULL: no memory. */
static struct thread_row *make_rows(const struct profile *p, size_t *count)
{
    struct thread_row *row = calloc((size_t)p->threads + 1, sizeof *row);
    *count = 0;
    for (uint32_t i = 0; row && i < p->threads; i++)
        if (thread_recorded(&p->thread[i])) {
            row[*count].thread = &p->thread[i];
            sum_up(&row[(*count)++], p);
        }
    return row;
}

static int compare_lanes(const void *a, const void *b)
{
    uint64_t x = ((const struct thread_row *)a)->thread->lane, y = ((const struct thread_row *)b)->thread->lane;
    return (x > y) - (x < y);
}

/* What a thread had that it has no more went to the merged ones; all of it, if the thread is gone. */
static void add_moved(struct profile_times *moved, const struct profile_times *before, const struct profile_times *now)
{
    moved->calls += minus(before->calls, now->calls);
    moved->exclusive += minus(before->exclusive, now->exclusive);
    moved->off_exclusive += minus(before->off_exclusive, now->off_exclusive);
}

/* `earlier` is sorted by lane; what is found there is used up. */
static void subtract_earlier(struct threads *x, struct thread_row *earlier, size_t count, struct profile_times *moved)
{
    for (size_t i = 0; i < x->count; i++) {
        struct thread_row *row = &x->row[i];
        struct thread_row *b = bsearch(row, earlier, count, sizeof *earlier, compare_lanes);
        if (!b)
            continue;
        if (row->thread->complete && !row->thread->merged)
            add_moved(moved, &b->t, &row->t);
        times_subtract(&row->t, &b->t);
        b->t = (struct profile_times){0};
    }
    for (size_t i = 0; i < count; i++)
        add_moved(moved, &earlier[i].t, &(struct profile_times){0});
}

static int make_interval(struct threads *x, const struct capture *before)
{
    size_t count;
    struct profile_times moved = {0};
    struct thread_row *earlier = make_rows(&before->profile, &count);
    if (!earlier)
        return -ENOMEM;
    qsort(earlier, count, sizeof *earlier, compare_lanes);
    subtract_earlier(x, earlier, count, &moved);
    for (size_t i = 0; i < x->count; i++)
        if (x->row[i].thread->merged)
            times_subtract(&x->row[i].t, &moved);
    free(earlier);
    return 0;
}

static void drop_silent(struct threads *x)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->count; i++) {
        const struct thread_row *row = &x->row[i];
        bool lives = !row->thread->exited && !row->thread->merged;
        if (lives || times_any(&row->t) || !row->thread->complete)
            x->row[kept++] = *row;
    }
    x->count = kept;
}

int threads_make(struct threads *x, const struct capture *now, const struct capture *before)
{
    *x = (struct threads){.cells.capture = now};
    x->row = make_rows(&now->profile, &x->count);
    if (!x->row || (before && capture_continues(now, before) && make_interval(x, before) < 0)) {
        threads_free(x);
        return -ENOMEM;
    }
    if (before)
        drop_silent(x);
    for (size_t i = 0; i < x->count; i++)
        x->cells.whole += x->row[i].t.exclusive;
    return 0;
}

void threads_free(struct threads *x)
{
    free(x->row);
    *x = (struct threads){0};
}

/* ---- columns ---- */

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

const struct column thread_columns[] = {
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
    struct threads x;
    if (threads_make(&x, c, NULL) < 0)
        return false;
    table_begin(&t, thread_columns, 1, &x);
    for (size_t i = 0; i < x.count && i < limit; i++)
        table_add(&t, &x.row[i]);
    bool whole = table_finish(&t, stdout, width, terminal_styled());
    if (x.count > limit)
        printf("%zu more threads not shown (--limit)\n", x.count - (size_t)limit);
    threads_free(&x);
    return whole;
}
