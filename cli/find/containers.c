#include "containers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "container.h"
#include "message.h"
#include "units.h"

/* ---- finding ---- */

/* Of whom the file is that it has mapped, nobody can forge: names and numbers can be. */
static void prove(struct subject *s, const struct container *c)
{
    if (s->error == 0 && !container_maps(c, s->header.address, s->header.capacity, s->inode))
        s->error = -EBADMSG;
}

/* Where a directory is shared, its segment was found there already, and taken for that of a dead process. */
static void remove_others(struct subjects *all, const struct subject *same)
{
    struct subject one = *same;
    for (size_t i = all->count - 1; i-- > 0;)
        if (one.error == 0 && all->subject[i].device == one.device && all->subject[i].inode == one.inode)
            subjects_remove(all, i);
}

static int add(struct subjects *all, struct places *p, const struct container *c, const struct container_rundir *r, int fd)
{
    char path[sizeof p->place->path];
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)c->pid, r->path);
    struct place *place = places_add(p, r->uid, fd, path);
    if (!place)
        close(fd);
    struct subject *s = place ? subjects_add(all, place, r->segment, c->pid, c->inner, c->start_time) : NULL;
    if (!s)
        return -ENOMEM;
    s->apart = true;
    prove(s, c);
    place->only.pid = c->pid;
    place->only.inner = c->inner;
    place->only.start_time = c->start_time;
    place->only.inode = s->error == 0 ? s->inode : 0;
    remove_others(all, s);
    return 0;
}

static bool is_wanted(const struct container *c)
{
    char theirs[CONTAINER_PATH];
    const char *ours = getenv("TSCAP_DIR");
    return !places_forced() || (container_setting(c, theirs, sizeof theirs) == 0 && strcmp(ours, theirs) == 0);
}

/* 0, or why there is none; -ESRCH: it is not apart. */
static int find_one(struct subjects *all, struct places *p, pid_t pid, bool any)
{
    struct container c;
    struct container_rundir rundir;
    int r = container_open(&c, pid);
    if (r < 0)
        return r;
    r = -ESRCH;
    if (c.apart && (any || is_wanted(&c)))
        r = container_open_rundir(&c, &rundir);
    if (r >= 0)
        r = add(all, p, &c, &rundir, r);
    container_close(&c);
    return r;
}

int containers_find(struct subjects *s, struct places *p)
{
    DIR *dir = opendir("/proc");
    int r = 0;
    if (!dir)
        return 0;
    for (struct dirent *e; r != -ENOMEM && (e = readdir(dir));) {
        uint64_t pid;
        if (units_read_count(e->d_name, &pid) && pid > 0 && pid <= INT32_MAX)
            r = find_one(s, p, (pid_t)pid, false);
    }
    closedir(dir);
    return r == -ENOMEM ? r : 0;
}

bool containers_find_process(struct subjects *s, struct places *p, pid_t pid) { return find_one(s, p, pid, true) == 0; }

/* ---- why not ---- */

static int no_segment(const struct container *c, const struct container_rundir *r, const char *command)
{
    int pid = (int)c->pid;
    const char *path = r->path[0] ? r->path : "its run directory";
    if (container_has_own_time(c))
        return fail(EXIT_UNSUPPORTED,
                    "cannot %s %d\n"
                    "it is in a container whose clock begins elsewhere (a time namespace)\n"
                    "run tscap in the container",
                    command, pid);
    return fail(EXIT_NO_PROCESS,
                "no segment of process %d in %s of its container\n"
                "it is process %d there; it could make none (no space, no right to), set TSCAP_DIR itself, or the file was removed\n"
                "ls -l /proc/%d/root%s",
                pid, path, (int)c->inner, pid, r->path);
}

static int not_private(const struct container *c, const struct container_rundir *r)
{
    int pid = (int)c->pid;
    return fail(EXIT_PERMISSION,
                "will not use %s of the container of process %d\n"
                "it is a link, or it is not private to the process' user (uid %lu here)\n"
                "ls -ld /proc/%d/root%s",
                r->path, pid, (unsigned long)r->uid, pid, r->path);
}

static int not_reachable(const struct container *c, const struct container_rundir *r, const char *command)
{
    return fail(EXIT_PERMISSION,
                "may not use %s of the container of process %d\n"
                "in there it runs as another user (uid %lu here), you are uid %lu: only that user and root may\n"
                "sudo tscap %s %d",
                r->path, (int)c->pid, (unsigned long)r->uid, (unsigned long)geteuid(), command, (int)c->pid);
}

static int explain(const struct container *c, const char *command)
{
    struct container_rundir rundir;
    int r = container_open_rundir(c, &rundir);
    if (r >= 0)
        close(r);
    switch (r < 0 ? -r : ENOENT) {
    case ENOENT:
        return no_segment(c, &rundir, command);
    case EPERM:
        return not_private(c, &rundir);
    case EACCES:
        return not_reachable(c, &rundir, command);
    default:
        return fail(exit_code_of_errno(r),
                    "cannot look into the container of process %d\n"
                    "%s\n"
                    "tscap ps",
                    (int)c->pid, strerror(-r));
    }
}

int containers_diagnose(pid_t pid, const char *command)
{
    struct container c;
    if (container_open(&c, pid) < 0)
        return EXIT_OK;
    int code = c.apart ? explain(&c, command) : EXIT_OK;
    container_close(&c);
    return code;
}

int containers_diagnose_access(pid_t pid, const char *command)
{
    struct container c;
    int r = container_open(&c, pid);
    if (r == 0)
        container_close(&c);
    if ((r != -EACCES && r != -EPERM) || !container_has_own_pids(pid))
        return EXIT_OK;
    if (geteuid() == 0)
        return fail(EXIT_PERMISSION,
                    "process %d is in a container that is closed to you\n"
                    "what lies in another pid or mount namespace is seen through /proc/%d/root only: that takes the capability\n"
                    "CAP_SYS_PTRACE in its user namespace, which this root has not\n"
                    "run tscap on the host, or with that capability (docker run --cap-add SYS_PTRACE)",
                    (int)pid, (int)pid);
    return fail(EXIT_PERMISSION,
                "process %d is in a container that is closed to you\n"
                "what lies in another pid or mount namespace is seen through /proc/%d/root only: that takes the process' own user\n"
                "with no fewer capabilities than it has, the user who made the container (rootless), or root\n"
                "sudo tscap %s %d",
                (int)pid, (int)pid, command, (int)pid);
}
