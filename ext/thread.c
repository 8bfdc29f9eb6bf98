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
#include "idents.h"
#include "recorder.h"
#include "stacks.h"
#include "thread_names.h"

#define LANE_REFUSED_MS 10

__thread struct thread *thread_here __attribute__((tls_model("initial-exec")));

static pthread_key_t key;
static _Atomic uint32_t exiting; /* threads that are in thread_exited() */
static __thread uint32_t hushed __attribute__((tls_model("initial-exec"))); /* how often in all: see hushes */
static __thread bool opening; /* this thread is making its lane: events on the way are not recorded */

static void thread_free(struct thread *t)
{
    stacks_free(t);
    free(t->open);
    account_free(&t->accounts);
    hosts_free(&t->hosts);
    free(t);
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
    t->named = thread_names_find(name, sizeof name);
    t->writer = t->open ? lanes_open(recorder_lanes(), name) : NULL;
    if (!t->writer || pthread_setspecific(key, t) != 0) {
        recorder_count_thread_lost();
        thread_free(t);
        return NULL;
    }
    idents_note(t->writer->lane, PyThread_get_thread_ident(), t->number);
    t->generation = recorder_generation();
    t->epoch = t->named ? demand_epoch_now() : demand_epoch_now() | DEMAND_OUT_OF_STEP; /* see name_again */
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
    t->named = thread_names_find(name, sizeof name); /* it may have got another one */
    lanes_rename(t->writer, name);
    t->ended = 0;
    stacks_forget(t);
}

/* At its first call a thread may not be known to `threading`; at its second it is, or will not be. */
static void name_again(struct thread *t)
{
    char name[64];
    thread_names_find(name, sizeof name);
    lanes_rename(t->writer, name);
    t->named = true;
}

/* Only calls that begin from here on are another audience's, if it is the same era. */
static void thread_follow(struct thread *t)
{
    uint64_t epoch = demand_epoch_now();
    if (!demand_same_era(t->epoch, epoch))
        thread_catch_up(t);
    else if (!t->named)
        name_again(t);
    writer_listen(t->writer, demand_audience_of(epoch));
    t->epoch = epoch;
    thread_set_usual(t);
}

/* At thread exit, without the interpreter's lock. Who gives the segment up sets the epoch to 0 and then waits until nobody
 * is in here: each of us has been counted before, or sees the 0 (both sequentially consistent: thread_await_exits). */
static void thread_exited(void *p)
{
    struct thread *t = p;
    atomic_fetch_add(&exiting, 1);
    uint64_t epoch = atomic_load(demand_epoch);
    if (epoch && thread_here == t && t->generation == recorder_generation()) {
        if (!demand_same_era(t->epoch, epoch))
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
        thread_follow(t);
    }
    opening = false;
    return t;
}

/* ---- hushing ---- */

#define STACKS_HUSHED 8 /* at a time, of one thread; more are so with the whole of it */

/* Which stacks are hushed, and how often: what hushes one may go over to another, whose calls are the program's. A thread without
 * greenlets is NULL, and so is what found no place: all of its stacks are. */
static __thread struct {
    const void *greenlet;
    uint32_t count; /* 0: the place is free */
} hushes[STACKS_HUSHED + 1]; /* the last is NULL's */

static const void *stack_here(void) { return demand_many_stacks ? greenlets_running() : NULL; }

static int hush_of(const void *greenlet)
{
    int i = 0;
    while (i < STACKS_HUSHED && !(hushes[i].count && hushes[i].greenlet == greenlet))
        i++;
    return i;
}

static int place_for_hush(const void *greenlet)
{
    int i = greenlet ? hush_of(greenlet) : STACKS_HUSHED, free = 0;
    if (!greenlet || i < STACKS_HUSHED)
        return i;
    while (free < STACKS_HUSHED && hushes[free].count)
        free++;
    hushes[free].greenlet = greenlet; /* NULL's, too: whom it had no other for */
    return free;
}

static bool is_hushed(const void *greenlet) { return hushes[STACKS_HUSHED].count || (greenlet && hush_of(greenlet) < STACKS_HUSHED); }

/* What was hushed before greenlet was there, or has found no place, is the whole thread. */
void thread_hush(bool on)
{
    const void *greenlet = stack_here();
    int i = on ? place_for_hush(greenlet) : greenlet ? hush_of(greenlet) : STACKS_HUSHED;
    if (!on && !hushes[i].count)
        return;
    hushes[i].count += on ? 1u : -1u;
    hushed += on ? 1u : -1u;
    if (hushed && thread_here) { /* out of step: its next event comes to thread_slow() */
        thread_here->epoch |= DEMAND_OUT_OF_STEP;
        thread_set_usual(thread_here);
    }
}

bool thread_is_hushed(void) { return hushed && is_hushed(stack_here()); }

/* ---- the calling thread ---- */

struct thread *thread_slow(bool begins)
{
    if (demand_epoch_now() == 0 || opening || (hushed && !demand_many_stacks))
        return NULL;
    const void *running = stack_here(); /* first: it may run code that is recorded */
    if (hushed && is_hushed(running)) {
        if (begins && hushes[STACKS_HUSHED].count && hushes[STACKS_HUSHED].greenlet && hush_of(running) == STACKS_HUSHED)
            recorder_count_call_lost(); /* it may be the program's */
        return NULL;
    }
    struct thread *t = thread_in_step();
    if (!t && begins)
        recorder_count_call_lost();
    if (t && running)
        stacks_follow(t, running);
    return t;
}

int thread_init(void) { return pthread_key_create(&key, thread_exited); }
