#include "stopper.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "process.h"
#include "target.h"
#include "tasks.h"

#define PATIENCE_US 50000 /* for all to stop */
#define BUSY_US 250000    /* ... where those that could have to wait for a processor */
#define ROUNDS 8          /* looks for threads that were made meanwhile */

static bool knows(const struct stopper *s, pid_t tid)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->thread[i].tid == tid)
            return true;
    return false;
}

static struct stopped *new_thread(struct stopper *s)
{
    struct stopped *thread = array_room(s->thread, s->count, &s->room, sizeof *thread);
    if (!thread)
        return NULL;
    s->thread = thread;
    s->thread[s->count] = (struct stopped){0};
    return &s->thread[s->count++];
}

/* All are seized before the first is stopped, and all told to stop before one is waited for: their pauses are short. */
static int seize_new(struct stopper *s, const struct tasks *tasks, bool *any)
{
    *any = false;
    for (size_t i = 0; i < tasks->count; i++) {
        if (knows(s, tasks->tid[i]))
            continue;
        int r = tracee_seize(tasks->tid[i]);
        if (r == -ESRCH)
            continue;
        struct stopped *t = r == 0 ? new_thread(s) : NULL;
        if (!t)
            return r < 0 ? r : -ENOMEM;
        t->tid = tasks->tid[i];
        *any = true;
    }
    return 0;
}

/* One that SIGSTOP has stopped stays so when it is let go. */
static bool is_here(enum tracee_event e) { return e == TRACEE_STOPPED || e == TRACEE_PAUSED; }

/* An uninterruptible sleep may be a long one. */
static bool comes(const struct stopped *t, uint64_t since)
{
    enum tracee_event e = tracee_await_stop(t->tid, since + PATIENCE_US);
    if (e == TRACEE_TIMEOUT && target_state(t->tid) != 'D')
        e = tracee_await_stop(t->tid, since + BUSY_US);
    return is_here(e);
}

static void stop_new(struct stopper *s)
{
    uint64_t since = tracee_now_us();
    for (size_t i = 0; i < s->count; i++)
        if (!s->thread[i].here)
            tracee_tell_to_stop(s->thread[i].tid);
    for (size_t i = 0; i < s->count; i++) {
        struct stopped *t = &s->thread[i];
        if (!t->here && comes(t, since))
            t->here = tracee_get_general(t->tid, &t->registers) == 0;
    }
}

/* Threads that run may make others until they are all stopped. */
int stopper_stop(struct stopper *s, pid_t pid)
{
    struct tasks tasks;
    bool any = true;
    int r = 0;
    *s = (struct stopper){0};
    for (int i = 0; i < ROUNDS && any && r == 0; i++) {
        r = tasks_read(&tasks, pid);
        if (r == 0)
            r = seize_new(s, &tasks, &any);
        if (i == 0)
            s->since = tracee_now_us();
        if (r == 0 && any)
            stop_new(s);
    }
    s->complete = !any;
    return s->count ? r : r < 0 ? r : -ESRCH;
}

bool stopper_holds_all(const struct stopper *s, pid_t pid)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->thread[i].here && process_thread_alive(pid, s->thread[i].tid))
            return false;
    return s->complete;
}

/* One that has not stopped yet is let go by our end, or as soon as it stops: PTRACE_DETACH takes stopped ones only. */
void stopper_let_go(struct stopper *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (tracee_detach(s->thread[i].tid) == -ESRCH && tracee_interrupt(s->thread[i].tid, 1000) == TRACEE_STOPPED)
            tracee_detach(s->thread[i].tid);
}

void stopper_free(struct stopper *s)
{
    free(s->thread);
    *s = (struct stopper){0};
}
