#include "thread_clocks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "array.h"
#include "process.h"
#include "status.h"
#include "units.h"

void thread_clocks_begin(struct thread_clocks *t, pid_t pid, bool apart) { *t = (struct thread_clocks){.pid = pid, .apart = apart}; }

void thread_clocks_free(struct thread_clocks *t)
{
    free(t->thread);
    *t = (struct thread_clocks){0};
}

static int compare_inner(const void *a, const void *b)
{
    const struct thread_number *x = a, *y = b;
    return (x->inner > y->inner) - (x->inner < y->inner);
}

/* One that is gone meanwhile, or for which there is no memory, is not asked. */
static void add(struct thread_clocks *t, pid_t tid)
{
    pid_t inner = status_inner_tid(t->pid, tid);
    struct thread_number *more = inner ? array_room(t->thread, t->count, &t->room, sizeof *more) : NULL;
    if (!more)
        return;
    t->thread = more;
    t->thread[t->count++] = (struct thread_number){.tid = tid, .inner = inner};
}

static void list(struct thread_clocks *t)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)t->pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        uint64_t tid;
        if (units_read_count(e->d_name, &tid) && tid > 0 && tid <= INT32_MAX)
            add(t, (pid_t)tid);
    }
    if (dir)
        closedir(dir);
    if (t->count)
        qsort(t->thread, t->count, sizeof *t->thread, compare_inner);
    t->listed = true;
}

/* 0: it is not there. */
static pid_t number_here(struct thread_clocks *t, uint32_t tid)
{
    struct thread_number wanted = {.inner = (pid_t)tid};
    if (!t->apart)
        return (pid_t)tid;
    if (!t->listed)
        list(t);
    const struct thread_number *found = t->count ? bsearch(&wanted, t->thread, t->count, sizeof wanted, compare_inner) : NULL;
    return found ? found->tid : 0;
}

bool thread_clocks_ask_cpu(void *context, uint32_t tid, uint64_t *cpu)
{
    struct thread_clocks *t = context;
    pid_t here = tid && tid <= INT32_MAX ? number_here(t, tid) : 0;
    return here && process_thread_cpu(t->pid, here, cpu) == 0;
}
