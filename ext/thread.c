#include "thread.h"

#include "python.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "greenlets.h"
#include "recorder.h"
#include "stacks.h"

#define LANE_REFUSED_MS 10

__thread struct thread *thread_here __attribute__((tls_model("initial-exec")));

static pthread_key_t key;
static _Atomic uint32_t exiting; /* threads that are in thread_exited() */
static __thread bool opening; /* this thread is making its lane: events on the way are not recorded */

static void thread_free(struct thread *t)
{
    stacks_free(t);
    free(t->open);
    account_free(&t->accounts);
    hosts_free(&t->hosts);
    free(t);
}

/* threading._active[ident]._name, which is what Thread.name returns; NULL: none. No code of the program runs. */
static PyObject *threading_name(void)
{
    PyObject *threading = PyDict_GetItemString(PyImport_GetModuleDict(), "threading"); /* borrowed, like the next two */
    PyObject *active = threading && PyModule_Check(threading) ? PyDict_GetItemString(PyModule_GetDict(threading), "_active") : NULL;
    PyObject *ident = active && PyDict_Check(active) ? PyLong_FromUnsignedLong(PyThread_get_thread_ident()) : NULL;
    PyObject *thread = ident ? PyDict_GetItemWithError(active, ident) : NULL;
    PyObject *attribute = thread ? PyUnicode_FromString("_name") : NULL;
    PyObject *name = attribute ? PyObject_GenericGetAttr(thread, attribute) : NULL;
    Py_XDECREF(attribute);
    Py_XDECREF(ident);
    return name;
}

static void thread_name(char *buffer, size_t size)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *name = threading_name();
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text)
        snprintf(buffer, size, "%s", text);
    else if (syscall(SYS_gettid) == getpid())
        snprintf(buffer, size, "MainThread");
    else if (pthread_getname_np(pthread_self(), buffer, size) != 0)
        snprintf(buffer, size, "thread");
    Py_XDECREF(name);
    PyErr_Restore(type, value, traceback);
}

static struct thread *thread_new(void)
{
    static uint64_t threads;
    char name[64];
    struct thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->number = ++threads;
    t->room = 64;
    t->open = calloc(t->room, sizeof *t->open);
    thread_name(name, sizeof name);
    t->writer = t->open ? lanes_open(recorder_lanes(), name) : NULL;
    if (!t->writer || pthread_setspecific(key, t) != 0) {
        recorder_count_thread_lost();
        thread_free(t);
        return NULL;
    }
    t->generation = recorder_generation();
    t->epoch = demand_epoch_now();
    thread_set_usual(t);
    thread_here = t;
    return t;
}

/* Recording began anew, ended or was reset since this thread's last event: what was open then is not open any more. */
static void writer_catch_up(struct thread *t)
{
    uint32_t resets = atomic_load_explicit(&recorder_segment()->header->resets, memory_order_relaxed);
    if (atomic_load_explicit(&t->writer->lane->resets, memory_order_relaxed) != resets)
        writer_reset(t->writer, resets);
    else
        writer_cut_at_stop(t->writer, demand_ended());
}

static void thread_catch_up(struct thread *t)
{
    char name[64];
    account_cut(t);
    writer_catch_up(t);
    thread_name(name, sizeof name); /* it may have got another one */
    lanes_rename(t->writer, name);
    t->ended = 0;
    stacks_forget(t);
    t->epoch = demand_epoch_now();
    thread_set_usual(t);
}

/* At thread exit, without the interpreter's lock. Who gives the segment up sets the epoch to 0 and then waits until nobody
 * is in here: each of us has been counted before, or sees the 0 (both sequentially consistent: thread_await_exits). */
static void thread_exited(void *p)
{
    struct thread *t = p;
    atomic_fetch_add(&exiting, 1);
    uint32_t epoch = atomic_load(demand_epoch);
    if (epoch && thread_here == t && t->generation == recorder_generation()) {
        if (t->epoch != epoch)
            writer_catch_up(t); /* what was open when recording ended has not lasted until now */
        lanes_close(recorder_lanes(), t->writer);
    }
    atomic_fetch_sub(&exiting, 1);
    thread_here = NULL;
    thread_free(t);
}

void thread_forget(void)
{
    if (thread_here && pthread_setspecific(key, NULL) == 0)
        thread_exited(thread_here);
}

void thread_await_exits(void)
{
    while (atomic_load(&exiting)) /* see thread_exited */
        sched_yield();
}

void thread_drop(void)
{
    if (!thread_here)
        return;
    pthread_setspecific(key, NULL);
    thread_free(thread_here);
    thread_here = NULL;
}

/* A thread that got no lane does not ask again at each call. */
static struct thread *thread_try(void)
{
    static __thread uint64_t refused; /* ms; 0: never */
    uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
    if (refused && now - refused < LANE_REFUSED_MS)
        return NULL;
    greenlets_look();
    struct thread *t = thread_new();
    refused = t ? 0 : now;
    return t;
}

static struct thread *thread_in_step(void)
{
    struct thread *t = thread_here;
    if (thread_is_in_step(t))
        return t;
    opening = true;
    if (t && t->generation != recorder_generation()) {
        thread_drop(); /* its segment is gone */
        t = NULL;
    }
    if (!t) {
        t = thread_try();
    } else {
        greenlets_look();
        thread_catch_up(t);
    }
    opening = false;
    if (!t)
        recorder_count_call_lost();
    return t;
}

struct thread *thread_slow(void)
{
    if (demand_epoch_now() == 0 || opening)
        return NULL;
    const void *running = demand_many_stacks ? greenlets_running() : NULL; /* first: it may run code that is recorded */
    struct thread *t = thread_in_step();
    if (t && running)
        stacks_follow(t, running);
    return t;
}

int thread_init(void) { return pthread_key_create(&key, thread_exited); }
