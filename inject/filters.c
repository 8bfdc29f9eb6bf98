#include "filters.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "status.h"
#include "tasks.h"
#include "tracee.h"

#define STOP_US 100000u

static bool has_filter(pid_t tid)
{
    struct status s;
    return status_read(&s, tid) == 0 && s.seccomp == SECCOMP_MODE_FILTER;
}

static bool is_ours(pid_t pid, pid_t tid)
{
    char name[64] = "";
    process_thread_name(pid, tid, name, sizeof name);
    return strncmp(name, "tscap", 5) == 0;
}

static unsigned use_of(pid_t pid, pid_t tid, const struct filters_use *use)
{
    if (tid == pid)
        return use->first;
    return is_ours(pid, tid) ? use->ours : use->others;
}

/* One that does not stop is not asked: when it does, it is let go by the end of our process. */
static const char *ask(pid_t tid, unsigned use)
{
    if (tracee_seize(tid) < 0)
        return NULL;
    enum tracee_event event = tracee_interrupt(tid, STOP_US);
    const char *name = event == TRACEE_STOPPED ? seccomp_forbids(tid, use) : NULL;
    if (event == TRACEE_STOPPED || event == TRACEE_PAUSED)
        tracee_detach(tid);
    return name;
}

/* Those that are used and have a filter; whether there are any. */
static bool find_threads(struct tasks *t, pid_t pid, const struct filters_use *use)
{
    size_t count = 0;
    if (geteuid() != 0 || tasks_read(t, pid) < 0)
        return false;
    for (size_t i = 0; i < t->count; i++)
        if (has_filter(t->tid[i]) && use_of(pid, t->tid[i], use))
            t->tid[count++] = t->tid[i];
    t->count = count;
    return count > 0;
}

bool filters_may_be_known(pid_t pid, const struct filters_use *use)
{
    struct tasks *t = malloc(sizeof *t);
    bool any = t && find_threads(t, pid, use);
    free(t);
    return any;
}

const char *filters_forbid(pid_t pid, const struct filters_use *use)
{
    struct tasks *t = malloc(sizeof *t);
    const char *name = NULL;
    if (t && find_threads(t, pid, use))
        for (size_t i = 0; i < t->count && !name; i++)
            name = ask(t->tid[i], use_of(pid, t->tid[i], use));
    free(t);
    return name;
}
