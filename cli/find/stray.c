#include "stray.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "clock.h"
#include "maps.h"
#include "process.h"
#include "units.h"

#define YOUNG_NS 1000000000u /* may be between fork and exec, or not yet in the hooks of fork */
#define LOOKS 220           /* at the young ones */
#define PAUSE_NS 5000000

static const struct subject *owner_of(const struct mapping *m, const struct subjects *all)
{
    for (size_t i = 0; m->inode && i < all->count; i++) {
        const struct subject *s = &all->subject[i];
        if (s->error == 0 && s->inode == m->inode && s->header.address == m->begin)
            return s;
    }
    return NULL;
}

const struct subject *stray_parent(pid_t pid, const struct subjects *all)
{
    struct maps maps;
    const struct subject *owner = NULL;
    if (maps_read(&maps, pid) < 0)
        return NULL;
    for (size_t i = 0; i < maps.count && !owner; i++)
        owner = owner_of(&maps.mapping[i], all);
    maps_free(&maps);
    return owner && owner->pid != pid ? owner : NULL;
}

/* ---- all that there are ---- */

struct process {
    pid_t pid, parent;
};

struct processes {
    struct process *process; /* by pid */
    size_t count, room;
};

static int compare_processes(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool add_process(struct processes *p, pid_t pid)
{
    struct process found = {.pid = pid};
    if (process_parent(pid, &found.parent) < 0)
        return true; /* it has ended */
    struct process *more = array_room(p->process, p->count, &p->room, sizeof *more);
    if (!more)
        return false;
    p->process = more;
    p->process[p->count++] = found;
    return true;
}

static int list_processes(struct processes *p)
{
    bool whole = true;
    *p = (struct processes){0};
    DIR *dir = opendir("/proc");
    for (struct dirent *e; whole && dir && (e = readdir(dir));) {
        uint64_t pid;
        if (units_read_count(e->d_name, &pid) && pid > 0 && pid <= INT32_MAX)
            whole = add_process(p, (pid_t)pid);
    }
    if (dir)
        closedir(dir);
    if (p->count)
        qsort(p->process, p->count, sizeof *p->process, compare_processes);
    return whole ? 0 : -ENOMEM;
}

/* 0: it is not there. */
static pid_t parent_of(const struct processes *p, pid_t pid)
{
    struct process wanted = {.pid = pid};
    const struct process *found = p->count ? bsearch(&wanted, p->process, p->count, sizeof wanted, compare_processes) : NULL;
    return found ? found->parent : 0;
}

/* ---- those of a process tree ---- */

static bool is_member(const struct process_tree *tree, pid_t pid)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->relative[i].subject->pid == pid && tree->relative[i].subject->alive)
            return true;
    return false;
}

/* They were read one after the other, and numbers are used again: there may be rings. */
static bool is_below(const struct processes *p, const struct process_tree *tree, pid_t pid)
{
    for (size_t steps = 0; steps < p->count && (pid = parent_of(p, pid)); steps++)
        if (is_member(tree, pid))
            return true;
    return false;
}

static bool has_segment(const struct subjects *all, pid_t pid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].pid == pid && subject_ready(&all->subject[i]))
            return true;
    return false;
}

static bool would_record(pid_t pid, const struct subjects *all)
{
    const struct subject *parent = stray_parent(pid, all);
    return parent && parent->session.started && parent->header.session_flags & SESSION_SUBPROCESSES;
}

static bool is_young(pid_t pid)
{
    uint64_t started, tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    return process_start_time(pid, &started) == 0 && clock_ns(CLOCK_BOOTTIME) < (started + 1) * tick + YOUNG_NS;
}

static bool drop_others(struct strays *s, const struct subjects *all)
{
    bool any_young = false;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (would_record(s->pid[i], all)) {
            any_young |= is_young(s->pid[i]);
            s->pid[kept++] = s->pid[i];
        }
    s->count = kept;
    return any_young;
}

static int list_below(struct strays *s, const struct processes *p, const struct process_tree *tree, const struct subjects *all)
{
    for (size_t i = 0; i < p->count; i++) {
        pid_t pid = p->process[i].pid;
        if (has_segment(all, pid) || !is_below(p, tree, pid))
            continue;
        pid_t *more = array_room(s->pid, s->count, &s->room, sizeof *more);
        if (!more)
            return -ENOMEM;
        s->pid = more;
        s->pid[s->count++] = pid;
    }
    return 0;
}

int strays_find(struct strays *s, const struct process_tree *tree, const struct subjects *all)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct processes p;
    *s = (struct strays){0};
    int r = list_processes(&p);
    if (r == 0)
        r = list_below(s, &p, tree, all);
    free(p.process);
    for (unsigned i = 0; r == 0 && drop_others(s, all) && i < LOOKS; i++)
        nanosleep(&pause, NULL);
    return r;
}

void strays_free(struct strays *s)
{
    free(s->pid);
    *s = (struct strays){0};
}
