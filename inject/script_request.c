#include "script_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "remote.h"
#include "status.h"
#include "stopper.h"
#include "tasks.h"

#define INTERPRETERS_MAX 4096
#define THREADS_MAX 65536

/* The lowest byte of a thread's eval_breaker: its bits are why it shall leave the interpreter's fast path
 * (pycore_ceval.h). Other threads set bits of it meanwhile; we can only store the whole byte. So those bits are stored set
 * that a thread clears without further ado when there was no reason; none of their reasons can get lost then. A collection
 * of garbage that gets lost is asked for again by the next object, a hand-over of the lock by who waits, after 5 ms. The
 * latter must never be set without reason: the thread would wait until another one takes the lock. */
#define BREAKER_HAND_OVER 0x01u
#define BREAKER_HARMLESS 0x2eu /* a stop of all threads, an exception for it, pending calls, signals */

/* ---- words of it ---- */

static int read_word(const struct script_request *r, uint64_t address, uint64_t *word)
{
    return remote_read(r->pid, address, word, sizeof *word);
}

static int read_pending(const struct script_request *r, uint64_t thread, int32_t *pending)
{
    return remote_read(r->pid, thread + r->offsets.thread_pending, pending, sizeof *pending);
}

static int write_pending(const struct script_request *r, uint64_t thread, int32_t pending)
{
    return remote_write(r->pid, thread + r->offsets.thread_pending, &pending, sizeof pending);
}

/* ---- looking ---- */

static int read_memory(void *context, uint64_t address, void *buffer, size_t size)
{
    return remote_read(*(pid_t *)context, address, buffer, size);
}

/* Stripped or not: by the section, else by the symbol. */
static uint64_t find_runtime(const struct images *images)
{
    for (size_t i = 0; i < images->count; i++)
        if (images->image[i].python_runtime)
            return images->image[i].python_runtime;
    return images_symbol(images, "_PyRuntime", NULL);
}

static int find_interpreter(struct script_request *r, uint64_t runtime)
{
    uint64_t at, id;
    int e = read_word(r, runtime + r->offsets.runtime_interpreters, &at);
    for (int i = 0; e == 0 && at && i < INTERPRETERS_MAX; i++) {
        e = read_word(r, at + r->offsets.interpreter_id, &id);
        if (e == 0 && id == 0) {
            r->interpreter = at;
            return 0;
        }
        if (e == 0)
            e = read_word(r, at + r->offsets.interpreter_next, &at);
    }
    return e < 0 ? e : -EBADMSG;
}

/* A thread's state says whose it is: if not, it is none. */
static int check_thread(const struct script_request *r, uint64_t thread)
{
    uint64_t interpreter;
    int32_t pending;
    int e = thread ? read_word(r, thread + r->offsets.thread_interpreter, &interpreter) : -EBADMSG;
    if (e == 0)
        e = read_pending(r, thread, &pending);
    if (e < 0)
        return e;
    return interpreter == r->interpreter && (pending == 0 || pending == 1) ? 0 : -EBADMSG;
}

/* Its number in its own pid namespace is what Python knows. */
static pid_t find_task(pid_t pid, uint64_t native)
{
    struct tasks tasks;
    if (tasks_read(&tasks, pid) < 0)
        return 0;
    for (size_t i = 0; i < tasks.count; i++)
        if ((uint64_t)status_inner_tid(pid, tasks.tid[i]) == native)
            return tasks.tid[i];
    return 0;
}

static void look_at_main(struct script_request *r)
{
    uint64_t native;
    pid_t tid = read_word(r, r->main_thread + r->offsets.thread_native, &native) == 0 ? find_task(r->pid, native) : 0;
    r->main_waits = tid && tasks_waits(r->pid, tid);
}

static int look_at_interpreter(struct script_request *r)
{
    uint32_t enabled;
    int e = remote_read(r->pid, r->interpreter + r->offsets.interpreter_enabled, &enabled, sizeof enabled);
    if (e == 0)
        e = read_word(r, r->interpreter + r->offsets.interpreter_main, &r->main_thread);
    if (e == 0)
        e = check_thread(r, r->main_thread);
    if (e < 0)
        return e;
    r->enabled = enabled == 1;
    look_at_main(r);
    return 0;
}

int script_request_look(struct script_request *r, pid_t pid, uint32_t version)
{
    struct images images;
    struct python_memory memory = {.read = read_memory, .context = &r->pid};
    *r = (struct script_request){.pid = pid};
    int e = images_read(&images, pid, ELF_EXPORTED);
    if (e < 0)
        return e;
    uint64_t runtime = find_runtime(&images);
    images_free(&images);
    e = runtime ? debug_offsets_read(&r->offsets, &memory, runtime, version) : -EPROTONOSUPPORT;
    if (e == 0)
        e = find_interpreter(r, runtime);
    if (e == 0)
        e = look_at_interpreter(r);
    return e == -EFAULT ? -EBADMSG : e;
}

/* ---- one thread ---- */

static int break_evaluation(const struct script_request *r, uint64_t thread)
{
    uint8_t breaker;
    uint64_t at = thread + r->offsets.thread_breaker; /* little-endian: its lowest byte */
    int e = remote_read(r->pid, at, &breaker, sizeof breaker);
    breaker = (uint8_t)((breaker & ~BREAKER_HAND_OVER) | BREAKER_HARMLESS);
    return e < 0 ? e : remote_write(r->pid, at, &breaker, sizeof breaker);
}

static int ask(const struct script_request *r, uint64_t thread, const char *path)
{
    int e = check_thread(r, thread);
    if (e == 0 && strlen(path) >= r->offsets.path_size)
        e = -ENAMETOOLONG;
    if (e == 0)
        e = remote_write(r->pid, thread + r->offsets.thread_path, path, strlen(path) + 1);
    if (e == 0)
        e = write_pending(r, thread, 1);
    return e < 0 ? e : break_evaluation(r, thread);
}

int script_request_main(const struct script_request *r, const char *path) { return ask(r, r->main_thread, path); }

/* ---- each thread ---- */

typedef int visit(const struct script_request *r, uint64_t thread, const void *what); /* 1: counts, 0 or -errno */

/* One that something is wrong with does not keep others from it. */
static int visit_threads(const struct script_request *r, visit *f, const void *what)
{
    uint64_t thread;
    int e = read_word(r, r->interpreter + r->offsets.interpreter_threads, &thread), count = 0;
    for (int i = 0; e >= 0 && thread && i < THREADS_MAX; i++) {
        count += f(r, thread, what) > 0;
        e = read_word(r, thread + r->offsets.thread_next, &thread);
    }
    return e < 0 && count == 0 ? e : count;
}

struct visited {
    int result;
    uint64_t pause_us;
};

static void visit_here(const struct script_request *r, visit *f, const void *what, struct visited *v)
{
    struct stopper stop;
    tracee_hold_signals();
    int e = stopper_stop(&stop, r->pid);
    if (e == 0)
        e = stopper_holds_all(&stop, r->pid) ? visit_threads(r, f, what) : -EBUSY;
    stopper_let_go(&stop);
    *v = (struct visited){e, stop.since ? tracee_now_us() - stop.since : 0};
    stopper_free(&stop);
}

/* While all are stopped. In a process of its own: when it ends, the kernel lets go of every thread, also of one that could
 * not be stopped in time and would stop later. */
static int visit_stopped(const struct script_request *r, visit *f, const void *what, uint64_t *pause_us)
{
    struct visited *v = mmap(NULL, sizeof *v, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (v == MAP_FAILED)
        return -errno;
    v->result = -EBUSY;
    pid_t child = fork();
    if (child == 0) {
        visit_here(r, f, what, v);
        _exit(0);
    }
    int e = child < 0 ? -errno : 0;
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (e == 0)
        e = v->result;
    *pause_us = v->pause_us > *pause_us ? v->pause_us : *pause_us;
    munmap(v, sizeof *v);
    return e;
}

struct wish {
    const char *path;
    bool but_main;
};

static int ask_one(const struct script_request *r, uint64_t thread, const void *what)
{
    const struct wish *w = what;
    int32_t before = 0;
    if (w->but_main && thread == r->main_thread)
        return 0;
    int e = read_pending(r, thread, &before);
    if (e == 0)
        e = ask(r, thread, w->path);
    return e < 0 ? e : before == 0;
}

int script_request_all(struct script_request *r, const char *path, bool but_main, uint64_t *pause_us)
{
    const struct wish w = {path, but_main};
    r->asked_all = true;
    return visit_stopped(r, ask_one, &w, pause_us);
}

/* ---- taking it back ---- */

static int count_one(const struct script_request *r, uint64_t thread, const void *unused)
{
    int32_t pending;
    (void)unused;
    int e = read_pending(r, thread, &pending);
    return e < 0 ? e : pending == 1;
}

static int withdraw_one(const struct script_request *r, uint64_t thread, const void *unused)
{
    int pending = count_one(r, thread, unused);
    int e = pending > 0 ? write_pending(r, thread, 0) : 0;
    return e < 0 ? e : pending;
}

int script_request_withdraw(const struct script_request *r, uint64_t *pause_us)
{
    if (!r->asked_all && count_one(r, r->main_thread, NULL) == 0)
        return 0;
    int withdrawn = visit_stopped(r, withdraw_one, NULL, pause_us);
    if (withdrawn < 0)
        withdraw_one(r, r->main_thread, NULL);
    return withdrawn;
}
