#include "stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "python_process.h"
#include "remote.h"
#include "status.h"
#include "tasks.h"

/* ---- the interpreter ---- */

struct source {
    struct stacks *stacks;
    struct python_process process;
    int error;
};

static void read_python(void *context)
{
    struct source *s = context;
    struct python_memory memory = {.read = python_process_read, .context = &s->process};
    s->error = python_frames_read(&s->stacks->python, &memory, s->process.runtime, s->process.version);
}

/* ---- which Python thread is which ---- */

/* Up to 3.10 Python knows a thread by pthread_self(), the address of the C library's description of it. */
#ifdef __x86_64__
#define PTHREAD_TID 720
#else
#define PTHREAD_TID 208
#endif

static bool is_task(const struct tasks *tasks, uint64_t tid)
{
    for (size_t i = 0; i < tasks->count; i++)
        if ((uint64_t)tasks->tid[i] == tid)
            return true;
    return false;
}

/* Its number in the pid namespace it lives in may be another than ours. */
static pid_t our_number(pid_t pid, const struct tasks *tasks, uint64_t native)
{
    for (size_t i = 0; i < tasks->count; i++)
        if ((uint64_t)status_inner_tid(pid, tasks->tid[i]) == native)
            return tasks->tid[i];
    return is_task(tasks, native) ? (pid_t)native : 0;
}

static pid_t tid_of(const struct stacks *s, pid_t pid, const struct tasks *tasks, const struct python_thread *t)
{
    int32_t tid = 0;
    if (s->python.minor >= 11)
        return our_number(pid, tasks, t->native);
    return remote_read(pid, t->native + PTHREAD_TID, &tid, sizeof tid) == 0 && tid > 0 ? our_number(pid, tasks, (uint64_t)tid) : 0;
}

/* ---- together ---- */

static const struct python_frame *next_python(struct stacks_thread *t, size_t *next)
{
    const struct python_frame *f = t->python && *next < t->python->frames ? &t->python->frame[*next] : NULL;
    if (f) {
        t->frame[t->frames++] = (struct stacks_frame){.python = f};
        ++*next;
    }
    return f;
}

/* In place of one call of the interpreter's main function: the Python functions it runs, up to the one it began with. */
static void put_python(struct stacks_thread *t, size_t *next, const struct native_frame *call)
{
    const struct python_frame *f = next_python(t, next);
    if (!f) {
        t->matched = false;
        t->frame[t->frames++] = (struct stacks_frame){.native = call};
    }
    while (f && !f->entry)
        f = next_python(t, next);
}

static int merge(struct stacks_thread *t)
{
    size_t next = 0, natives = t->native ? t->native->frames : 0;
    t->frame = calloc(natives + (t->python ? t->python->frames : 0) + 1, sizeof *t->frame);
    if (!t->frame)
        return -ENOMEM;
    t->matched = true;
    for (size_t i = 0; i < natives; i++) {
        const struct native_frame *f = &t->native->frame[i];
        if (f->python)
            put_python(t, &next, f);
        else
            t->frame[t->frames++] = (struct stacks_frame){.native = f};
    }
    t->matched &= natives == 0 || !t->python || next == t->python->frames;
    while (next_python(t, &next))
        ;
    return 0;
}

static const struct native_thread *native_of(const struct stacks *s, pid_t tid)
{
    for (size_t i = 0; i < s->native.threads; i++)
        if (s->native.thread[i].tid == tid)
            return &s->native.thread[i];
    return NULL;
}

static int add_thread(struct stacks *s, pid_t pid, pid_t tid, const struct python_thread *python)
{
    struct stacks_thread *t = &s->thread[s->threads++];
    *t = (struct stacks_thread){.tid = tid, .python = python, .native = native_of(s, tid)};
    if (tid)
        process_thread_name(pid, tid, t->name, sizeof t->name);
    return merge(t);
}

static bool is_listed(const struct stacks *s, pid_t tid)
{
    for (size_t i = 0; i < s->threads; i++)
        if (s->thread[i].tid == tid)
            return true;
    return false;
}

static int compare_threads(const void *a, const void *b)
{
    const struct stacks_thread *x = a, *y = b;
    if (x->tid != y->tid)
        return (x->tid > y->tid) - (x->tid < y->tid);
    return (x->python > y->python) - (x->python < y->python);
}

/* Python's threads, then those that run no Python. */
static int join(struct stacks *s, pid_t pid)
{
    struct tasks tasks;
    int r = tasks_read(&tasks, pid);
    s->thread = calloc(s->python.threads + s->native.threads + 1, sizeof *s->thread);
    if (!s->thread)
        return -ENOMEM;
    if (r < 0)
        return r;
    for (size_t i = 0; i < s->python.threads && r == 0; i++)
        r = add_thread(s, pid, tid_of(s, pid, &tasks, &s->python.thread[i]), &s->python.thread[i]);
    for (size_t i = 0; i < s->native.threads && r == 0; i++)
        if (!is_listed(s, s->native.thread[i].tid))
            r = add_thread(s, pid, s->native.thread[i].tid, NULL);
    qsort(s->thread, s->threads, sizeof *s->thread, compare_threads);
    return r;
}

/* ---- all of it ---- */

static int read_both(struct stacks *s, struct source *source)
{
    int r = native_frames_read(&s->native, source->process.pid, read_python, source);
    return r == 0 ? source->error : r;
}

int stacks_read(struct stacks *s, pid_t pid, bool with_native)
{
    struct source source = {.stacks = s};
    *s = (struct stacks){.with_native = with_native};
    int r = python_process_find(&source.process, pid);
    s->version = source.process.version;
    if (r == 0 && !with_native) {
        read_python(&source);
        r = source.error;
    } else if (r == 0)
        r = read_both(s, &source);
    if (r == 0)
        r = join(s, pid);
    if (r < 0) {
        uint32_t version = s->version;
        stacks_free(s);
        s->version = version;
    }
    return r;
}

void stacks_free(struct stacks *s)
{
    for (size_t i = 0; i < s->threads; i++)
        free(s->thread[i].frame);
    free(s->thread);
    python_frames_free(&s->python);
    native_frames_free(&s->native);
    *s = (struct stacks){0};
}
