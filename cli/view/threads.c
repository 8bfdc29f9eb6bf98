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
        row->t.unknown_exclusive += t->unknown_exclusive;
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
    const struct profile_thread *x = ((const struct thread_row *)a)->thread, *y = ((const struct thread_row *)b)->thread;
    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    return (x->lane > y->lane) - (x->lane < y->lane);
}

/* What a thread had that it has no more went to the merged ones; all of it, if the thread is gone. */
static void add_moved(struct profile_times *moved, const struct profile_times *before, const struct profile_times *now)
{
    moved->calls += minus(before->calls, now->calls);
    moved->exclusive += minus(before->exclusive, now->exclusive);
    moved->off_exclusive += minus(before->off_exclusive, now->off_exclusive);
}

/* `earlier` is sorted by lane; what is found there is used up. `moved`: by process. */
static void subtract_earlier(struct threads *x, struct thread_row *earlier, size_t count, struct profile_times moved[])
{
    for (size_t i = 0; i < x->count; i++) {
        struct thread_row *row = &x->row[i];
        struct thread_row *b = bsearch(row, earlier, count, sizeof *earlier, compare_lanes);
        if (!b)
            continue;
        if (row->thread->complete && !row->thread->merged)
            add_moved(&moved[row->thread->process], &b->t, &row->t);
        times_subtract(&row->t, &b->t);
        b->t = (struct profile_times){0};
    }
    for (size_t i = 0; i < count; i++)
        add_moved(&moved[earlier[i].thread->process], &earlier[i].t, &(struct profile_times){0});
}

static uint32_t last_process(const struct capture *now, const struct capture *before)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < now->profile.threads; i++)
        last = now->profile.thread[i].process > last ? now->profile.thread[i].process : last;
    for (uint32_t i = 0; i < before->profile.threads; i++)
        last = before->profile.thread[i].process > last ? before->profile.thread[i].process : last;
    return last;
}

static int make_interval(struct threads *x, const struct capture *before)
{
    size_t count;
    struct thread_row *earlier = make_rows(&before->profile, &count);
    struct profile_times *moved = calloc((size_t)last_process(x->cells.capture, before) + 1, sizeof *moved);
    if (earlier && moved) {
        qsort(earlier, count, sizeof *earlier, compare_lanes);
        subtract_earlier(x, earlier, count, moved);
    }
    for (size_t i = 0; moved && i < x->count; i++)
        if (x->row[i].thread->merged)
            times_subtract(&x->row[i].t, &moved[x->row[i].thread->process]);
    bool whole = earlier && moved;
    free(earlier);
    free(moved);
    return whole ? 0 : -ENOMEM;
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

static void cell_pid(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c;
    snprintf(buffer, size, "%d", (int)capture_process(CELLS(context)->capture, ROW(row)->thread->process)->pid);
}

static void cell_tid(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, ROW(row)->thread->merged ? "-" : "%" PRIu32, ROW(row)->thread->tid);
}

static void cell_state(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    const struct profile_thread *t = ROW(row)->thread;
    bool alive = capture_process(CELLS(context)->capture, t->process)->alive && !t->exited && !t->merged;
    (void)c;
    snprintf(buffer, size, "%s%s", alive ? "alive" : "ended", t->complete ? "" : ", incomplete");
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", thread_name(ROW(row)->thread));
}

#define BOTH (THREADS | THREADS_FAMILY)
const struct column thread_columns[] = {
    {"pid", "pid", "process", THREADS_FAMILY, false, 0, cell_pid, NULL, NULL},
    {"tid", "tid", "kernel's thread id", BOTH, false, 0, cell_tid, NULL, NULL},
    {"state", "state", "alive or ended", BOTH, true, BOTH, cell_state, NULL, NULL},
    {"calls", "calls", "calls begun", BOTH, false, 0, cell_count, key_calls, NULL},
    {"open", "open", "calls that have not ended", BOTH, false, 4, cell_count, key_open, NULL},
    {"time", "recorded", "time in recorded functions", BOTH, false, 0, cell_time, key_exclusive, NULL},
    {"percent", "%", "the same, as a share of all threads", BOTH, false, 3, cell_percent, key_exclusive, NULL},
    {"cpu", "CPU", "of it on a CPU", BOTH, false, 2, cell_cpu_time, key_exclusive_cpu, NULL},
    {"name", "name", "Python's name of the thread", BOTH, true, 0, cell_name, NULL, text_cut_end},
    {0},
};

bool threads_print(const struct capture *c, uint64_t limit, size_t width)
{
    struct table t;
    struct threads x;
    if (threads_make(&x, c, NULL) < 0)
        return false;
    table_begin(&t, thread_columns, c->family ? THREADS_FAMILY : THREADS, &x);
    for (size_t i = 0; i < x.count && i < limit; i++)
        table_add(&t, &x.row[i]);
    bool whole = table_finish(&t, stdout, width, terminal_styled());
    if (x.count > limit)
        printf("%zu more threads not shown (--limit)\n", x.count - (size_t)limit);
    threads_free(&x);
    return whole;
}
