#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "filters.h"
#include "image.h"
#include "safepoint.h"
#include "status.h"
#include "target.h"
#include "tasks.h"
#include "tracee.h"

#define STOP_US 300000u /* longer, and it is uninterruptible or the parent of a vfork */
#define HELD_MAX 64
#define LOOKS 16            /* at one thread before it may be the turn of another */
#define BETWEEN_US 150u     /* that it runs between two of them, at most */
#define SYSTEM_CALL_US 1000 /* ... to the next system call */
#define MAPS_OLD 4          /* tries after which they may be */

struct attempt {
    const struct load *load;
    struct load_report *report;
    struct images images;
    struct safepoint *safepoint;
    struct call_functions functions;
    bool rehearsal;
    pid_t held[HELD_MAX]; /* threads that have not stopped yet; 0: free */
};

static bool fail_load(struct attempt *a, enum load_problem problem, int error, const char *text)
{
    struct load_report *r = a->report;
    r->problem = problem;
    r->error = error;
    snprintf(r->text, sizeof r->text, "%s", text);
    return false;
}

static bool fail_by_errno(struct attempt *a, int error)
{
    if (error == -ESRCH || error == -ENOENT)
        return fail_load(a, LOAD_GONE, error, "");
    if (error == -EPERM || error == -EACCES)
        return fail_load(a, LOAD_NOT_PERMITTED, error, "");
    return fail_load(a, LOAD_FAILED, error, strerror(-error));
}

/* ---- before anything is stopped ---- */

static bool find_functions(struct attempt *a, struct image **python)
{
    const char *missing;
    if (!images_symbol(&a->images, "Py_AddPendingCall", python))
        return fail_load(a, LOAD_NO_PYTHON, 0, "");
    if ((*python)->file.machine != arch_machine || !(*python)->file.is_64_bit)
        return fail_load(a, LOAD_MACHINE, 0, "");
    missing = call_find(&a->functions, &a->images, status_has_shadow_stack(a->load->pid));
    a->report->returning = a->functions.restorer ? 'R' : 'S';
    return !missing || fail_load(a, LOAD_NO_LOADER, 0, missing);
}

static bool look(struct attempt *a)
{
    struct image *python;
    int e = images_read(&a->images, a->load->pid, ELF_EXPORTED);
    if (e < 0)
        return fail_by_errno(a, e);
    if (!find_functions(a, &python))
        return false;
    a->safepoint = malloc(sizeof *a->safepoint);
    e = a->safepoint ? safepoint_init(a->safepoint, &a->images, python) : -ENOMEM;
    return e == 0 || fail_by_errno(a, e);
}

static void forget(struct attempt *a)
{
    if (a->safepoint)
        safepoint_free(a->safepoint);
    free(a->safepoint);
    a->safepoint = NULL;
    images_free(&a->images);
}

/* ---- what its filters say ---- */

/* Of the thread that loads, and of those that it starts. */
static unsigned use_of(const struct attempt *a)
{
    return SECCOMP_RECORDING | SECCOMP_OBEYING | SECCOMP_DETACHING | SECCOMP_ATTACHING | (a->load->bundle ? SECCOMP_IN_MEMORY : 0);
}

static bool fail_forbidden(struct attempt *a, const char *call)
{
    a->report->signal = SIGSYS;
    return fail_load(a, LOAD_REFUSED, -EPERM, call);
}

/* The main thread may have to import, and all of them will be recorded. */
static bool is_allowed(struct attempt *a)
{
    const struct filters_use use = {.first = use_of(a), .ours = use_of(a), .others = SECCOMP_RECORDING};
    const char *call = filters_forbid(a->load->pid, &use);
    return !call || fail_forbidden(a, call);
}

/* ---- one thread ---- */

static void note_call(struct attempt *a, const struct call_outcome *o)
{
    struct load_report *r = a->report;
    static const enum load_problem problems[] = {
        [CALL_DONE] = LOAD_OK, [CALL_REFUSED] = LOAD_REFUSED, [CALL_LOADER] = LOAD_LIBRARY,
        [CALL_FAULT] = LOAD_FAULT, [CALL_LATE] = LOAD_LATE, [CALL_GONE] = LOAD_GONE};
    r->problem = problems[o->state];
    r->error = o->error;
    r->signal = o->signal;
    r->result = o->result;
    r->region = o->region;
    r->region_size = o->region_size;
    snprintf(r->text, sizeof r->text, "%s", o->state == CALL_REFUSED ? o->what : o->text);
}

/* True: the matter is settled, one way or the other. */
static bool call_through(struct attempt *a, pid_t tid)
{
    struct call_outcome o;
    const struct call c = {.functions = &a->functions,
                           .maps = &a->images.maps,
                           .pid = a->load->pid,
                           .tid = tid,
                           .library = a->load->library,
                           .bundle = a->load->bundle,
                           .function = a->load->function,
                           .argument = a->load->argument,
                           .timeout_us = a->load->call_timeout_us};
    call_run(&c, &o);
    note_call(a, &o);
    a->report->tid = tid;
    if (o.state == CALL_REFUSED && o.error == -ENOSPC)
        snprintf(a->report->text, sizeof a->report->text, "no %s", o.what); /* another thread may have it */
    return !(o.state == CALL_REFUSED && o.error == -ENOSPC) && !(o.state == CALL_GONE && tid != a->load->pid);
}

static bool use_stopped(struct attempt *a, pid_t tid)
{
    struct user_regs_struct general;
    a->report->attempts++;
    if (tracee_get_general(tid, &general) < 0)
        return false;
    if (!safepoint_check(a->safepoint, tid, &general))
        return fail_load(a, LOAD_NO_SAFE_POINT, 0, a->safepoint->why);
    const char *forbidden = seccomp_forbids(tid, use_of(a));
    if (forbidden)
        return !fail_forbidden(a, forbidden);
    if (!a->rehearsal)
        return call_through(a, tid);
    fail_load(a, LOAD_OK, 0, "");
    a->report->tid = tid;
    return true;
}

/* What is seldom at a safe point is looked at often: it is stopped again after a moment. The parent of a vfork stops where
 * that ends, which is none, and by our next look it may well be in another: it is taken to where it next enters the kernel. */
static enum tracee_event take_along(pid_t tid, bool forks, uint64_t *since)
{
    struct tracee_wait w = {.timeout_us = forks ? SYSTEM_CALL_US : (unsigned)rand() % BETWEEN_US};
    enum tracee_event event = tracee_run(tid, forks, &w);
    *since = tracee_now_us();
    switch (event) {
    case TRACEE_SYSCALL:
        return tracee_interrupt_again(tid, STOP_US);
    case TRACEE_TIMEOUT:
        return tracee_interrupt(tid, STOP_US);
    case TRACEE_SIGNAL:
        tracee_detach_with(tid, w.signal);
        return TRACEE_GONE;
    default:
        return TRACEE_GONE;
    }
}

static bool not_seized(struct attempt *a, pid_t tid, int error)
{
    if (error == -ESRCH && tid != a->load->pid)
        return false; /* it has ended, which threads do */
    fail_by_errno(a, error);
    return true;
}

/* It stops when it can: then it is let go at once. Should it take longer than we live, the kernel sees to it. */
static void hold(struct attempt *a, pid_t tid)
{
    fail_load(a, LOAD_NO_SAFE_POINT, 0, "uninterruptible sleep, or the wait for the child of a vfork");
    a->report->attempts++;
    for (size_t i = 0; i < HELD_MAX; i++)
        if (!a->held[i]) {
            a->held[i] = tid;
            return;
        }
}

static void release_held(struct attempt *a)
{
    int number;
    for (size_t i = 0; i < HELD_MAX; i++) {
        enum tracee_event e = a->held[i] ? tracee_poll(a->held[i], &number) : TRACEE_TIMEOUT;
        if (e == TRACEE_TIMEOUT)
            continue;
        if (e == TRACEE_SIGNAL)
            tracee_detach_with(a->held[i], number);
        else if (e != TRACEE_GONE)
            tracee_detach(a->held[i]);
        a->held[i] = 0;
    }
}

static bool is_held(const struct attempt *a, pid_t tid)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (a->held[i] == tid)
            return true;
    return false;
}

static void note_pause(struct attempt *a, uint64_t began)
{
    uint64_t pause = tracee_now_us() - began;
    if (pause > a->report->pause_us)
        a->report->pause_us = pause;
}

/* It stops, or is about to, since `began`. */
static bool try_seized(struct attempt *a, pid_t tid, uint64_t began)
{
    enum tracee_event event = tracee_interrupt(tid, STOP_US);
    bool settled = false;
    int looks = LOOKS;
    while (event == TRACEE_STOPPED) {
        settled = use_stopped(a, tid);
        note_pause(a, began);
        if (settled || --looks == 0)
            break;
        event = take_along(tid, a->safepoint->forks, &began);
    }
    if (event == TRACEE_PAUSED)
        settled = !fail_load(a, LOAD_PAUSED, 0, "");
    if (event == TRACEE_STOPPED || event == TRACEE_PAUSED)
        tracee_detach(tid);
    else if (event == TRACEE_TIMEOUT)
        hold(a, tid);
    return settled;
}

static bool try_thread(struct attempt *a, pid_t tid)
{
    uint64_t began = tracee_now_us();
    if (is_held(a, tid))
        return false;
    int e = tracee_seize(tid);
    return e < 0 ? not_seized(a, tid, e) : try_seized(a, tid, began);
}

/* ---- until one is at a safe point ---- */

/* Mostly the likeliest one; now and then another. */
static size_t choose(size_t attempt, size_t count) { return attempt % 4 != 3 || count < 2 ? 0 : 1 + (size_t)rand() % (count - 1); }

/* Every other time not at all. */
static void wait_a_little(struct attempt *a, size_t attempt)
{
    struct timespec t = {.tv_nsec = 100000 + rand() % 1500000};
    if (attempt % 2)
        nanosleep(&t, NULL);
    release_held(a);
}

static void try_threads(struct attempt *a)
{
    struct tasks *tasks = malloc(sizeof *tasks);
    uint64_t deadline = tracee_now_us() + a->load->timeout_us;
    for (size_t i = 0; tasks; i++) {
        int e = tasks_read(tasks, a->load->pid);
        if (e < 0) {
            fail_by_errno(a, e);
            break;
        }
        if (try_thread(a, tasks->tid[choose(i, tasks->count)]) || tracee_now_us() >= deadline)
            break;
        if (i % MAPS_OLD == MAPS_OLD - 1) {
            forget(a);
            if (!look(a))
                break;
        }
        wait_a_little(a, i);
    }
    if (!tasks)
        fail_by_errno(a, -ENOMEM);
    free(tasks);
}

/* ---- in a process of its own ----
 *
 * Signals to tscap, and its end, do not reach it: what it has begun it completes. And when it ends, the kernel lets go of
 * every thread that is still ours, also of one that could not be stopped. */

static void run_here(const struct load *l, struct load_report *r, bool rehearsal)
{
    struct attempt a = {.load = l, .report = r, .rehearsal = rehearsal};
    srand((unsigned)getpid());
    prctl(PR_SET_TIMERSLACK, 1); /* what we wait for is shorter than the 50 us that a sleep may be late */
    if (look(&a) && is_allowed(&a))
        try_threads(&a);
    if (r->problem != LOAD_OK && target_has_ended(l->pid))
        fail_load(&a, LOAD_GONE, 0, ""); /* what was missing in it went with its memory */
    forget(&a);
}

static void fail_here(struct load_report *r, int error)
{
    *r = (struct load_report){.problem = LOAD_FAILED, .error = error};
    snprintf(r->text, sizeof r->text, "%s", strerror(-error));
}

static void wait_for(pid_t child)
{
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

void load_apart(void (*body)(const void *what, struct load_report *r), const void *what, struct load_report *r)
{
    struct load_report *shared = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        fail_here(r, -errno);
        return;
    }
    fail_here(shared, -ECANCELED); /* if it should be killed */
    pid_t child = fork();
    if (child == 0) {
        tracee_hold_signals();
        body(what, shared);
        _exit(0);
    }
    int e = child < 0 ? -errno : 0;
    if (child > 0)
        wait_for(child);
    *r = *shared;
    if (e < 0)
        fail_here(r, e);
    munmap(shared, sizeof *r);
}

static void run_it(const void *what, struct load_report *r) { run_here(what, r, false); }
static void rehearse_it(const void *what, struct load_report *r) { run_here(what, r, true); }

void load_run(const struct load *l, struct load_report *r) { load_apart(run_it, l, r); }
void load_rehearse(const struct load *l, struct load_report *r) { load_apart(rehearse_it, l, r); }
