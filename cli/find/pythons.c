#include "pythons.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "process.h"
#include "status.h"
#include "target.h"
#include "units.h"

#define ANCESTORS_MAX 4096 /* numbers are used again while they are read: there may be rings */

/* The cheap questions first: most processes are no Python, and most command lines have no such part. */
static bool fits(pid_t pid, const char *part, struct python_process *found)
{
    struct status status;
    struct target target;
    *found = (struct python_process){.pid = pid};
    if (process_command(pid, found->command, sizeof found->command) < 0 || (part && !strstr(found->command, part)))
        return false;
    if (status_read(&status, pid) < 0 || status_has_ended(&status) || (geteuid() != 0 && status.uid[1] != geteuid()))
        return false;
    if (target_is_kernel_thread(pid) || target_inspect(pid, &target) < 0 || !target.python)
        return false;
    found->parent = status.parent;
    found->uid = status.uid[1];
    found->version = target.version;
    found->loaded = target.loaded;
    return process_start_time(pid, &found->start_time) == 0;
}

static bool add(struct pythons *p, const struct python_process *found)
{
    struct python_process *more = array_room(p->process, p->count, &p->room, sizeof *more);
    if (!more)
        return false;
    p->process = more;
    p->process[p->count++] = *found;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct python_process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

int pythons_find(struct pythons *p, const char *part)
{
    bool whole = true;
    struct python_process found;
    *p = (struct pythons){0};
    DIR *dir = opendir("/proc");
    for (struct dirent *e; whole && dir && (e = readdir(dir));) {
        uint64_t pid;
        if (units_read_count(e->d_name, &pid) && pid > 0 && pid <= INT32_MAX && fits((pid_t)pid, part, &found))
            whole = add(p, &found);
    }
    if (dir)
        closedir(dir);
    if (p->count)
        qsort(p->process, p->count, sizeof *p->process, compare);
    return whole ? 0 : -ENOMEM;
}

void pythons_free(struct pythons *p)
{
    free(p->process);
    *p = (struct pythons){0};
}

static bool descends_from(const struct python_process *p, pid_t ancestor)
{
    pid_t pid = p->parent;
    for (unsigned i = 0; i < ANCESTORS_MAX && pid > 0 && pid != ancestor; i++)
        if (process_parent(pid, &pid) < 0)
            return false;
    return pid == ancestor;
}

static bool is_root(const struct pythons *p, size_t root)
{
    for (size_t i = 0; i < p->count; i++)
        if (i != root && !descends_from(&p->process[i], p->process[root].pid))
            return false;
    return true;
}

const struct python_process *pythons_root(const struct pythons *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_root(p, i))
            return &p->process[i];
    return NULL;
}
