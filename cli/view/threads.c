#include "threads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "difference.h"
#include "terminal.h"
#include "text.h"

const char *thread_name(const struct profile_thread *t)
{
    return t->merged ? "(threads that ended)" : t->name[0] ? t->name : "(no name)";
}

/* ---- rows ---- */

/* Those that recorded anything, in the profile's order. */
static void add_rows(struct threads *x, const struct profile *p, const struct profile_times *since)
{
    for (uint32_t i = 0; i < p->threads; i++)
        if (thread_recorded(&p->thread[i]))
            x->row[x->count++] = (struct thread_row){.t = since[i], .thread = &p->thread[i]};
}

static void drop_silent(struct threads *x)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->count; i++) {
        const struct thread_row *row = &x->row[i];
        bool lives = !row->thread->exited && !row->thread->merged;
        if (lives || metric_any(&row->t) || !row->thread->complete)
            x->row[kept++] = *row;
    }
    x->count = kept;
}

int threads_make(struct threads *x, const struct capture *now, const struct capture *before)
{
    struct profile_times *since = difference_threads(&now->profile, capture_earlier(now, before));
    *x = (struct threads){.cells.capture = now, .row = calloc((size_t)now->profile.threads + 1, sizeof *x->row)};
    if (!x->row || !since) {
        free(since);
        threads_free(x);
        return -ENOMEM;
    }
    add_rows(x, &now->profile, since);
    free(since);
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

static bool is_alone(const void *context) { return !CELLS(context)->capture->whole_tree; }

#define BOTH (THREADS | THREADS_FAMILY)
const struct column thread_columns[] = {
    {"pid", "pid", "process", THREADS_FAMILY, false, 0, cell_pid, NULL, NULL, is_alone},
    {"tid", "tid", "kernel's thread id", BOTH, false, 0, cell_tid, NULL, NULL, NULL},
    {"state", "state", "alive or ended", BOTH, true, BOTH, cell_state, NULL, NULL, NULL},
    {"calls", "calls", "calls begun", BOTH, false, 0, cell_count, key_calls, NULL, NULL},
    {"open", "open", "calls that have not ended", BOTH, false, 4, cell_count, key_open, NULL, NULL},
    {"time", "recorded", "time in recorded functions", BOTH, false, 0, cell_time, key_exclusive, NULL, NULL},
    {"percent", "%", "the same, as a share of all threads", BOTH, false, 3, cell_percent, key_exclusive, NULL, NULL},
    {"cpu", "CPU", "of it on a CPU", BOTH, false, 2, cell_cpu_time, key_exclusive_cpu, NULL, NULL},
    {"name", "name", "Python's name of the thread", BOTH, true, 0, cell_name, NULL, &text_fit_end, NULL},
    {0},
};

bool threads_print(const struct capture *c, uint64_t limit, const char *columns, size_t width)
{
    struct table t;
    struct threads x;
    if (threads_make(&x, c, NULL) < 0)
        return false;
    table_begin(&t, thread_columns, THREADS_FAMILY, &x);
    table_choose(&t, columns);
    for (size_t i = 0; i < x.count && i < limit; i++)
        table_add(&t, &x.row[i]);
    bool whole = table_finish(&t, stdout, width, terminal_styled());
    if (x.count > limit)
        printf("%zu more threads not shown (--limit)\n", x.count - (size_t)limit);
    threads_free(&x);
    return whole;
}
