#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespace.h"
#include "process.h"
#include "rundir.h"
#include "status.h"

_Static_assert(CONTAINER_PATH == RUNDIR_PATH_MAX, "a run directory's path fits");

/* ---- paths in another root ---- */

/* Part by part, without following any link. */
static int open_step_by_step(int root, const char *path, int flags)
{
    char part[256];
    int at = fcntl(root, F_DUPFD_CLOEXEC, 0), fd;
    if (at < 0)
        return -errno;
    for (;;) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        bool last = path[n + strspn(path + n, "/")] == '\0';
        if (n == 0 || n >= sizeof part || (n == 2 && strncmp(path, "..", 2) == 0)) {
            close(at);
            return n >= sizeof part ? -ENAMETOOLONG : -EINVAL;
        }
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        fd = openat(at, part, (last ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        int e = errno;
        close(at);
        if (fd < 0)
            return e == ENOTDIR && !last ? -ELOOP : -e;
        if (last)
            return fd;
        at = fd;
        path += n;
    }
}

int container_open_path(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    for (int tries = 0; tries < 64; tries++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno == ENOSYS || errno == EPERM) /* an old kernel, or a filter that knows none but old calls */
            return open_step_by_step(root, path, flags);
        if (errno != EAGAIN) /* somebody moves directories about: the kernel will not say where ".." leads */
            return -errno;
    }
    return -EAGAIN;
}

/* ---- what its directory in /proc says ---- */

static int open_text(const struct container *c, const char *name, FILE **file)
{
    int fd = openat(c->proc, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    *file = fdopen(fd, "r");
    if (*file)
        return 0;
    close(fd);
    return -ENOMEM;
}

static int look_at_status(const struct container *c, struct status *s)
{
    int r = status_read_at(s, c->proc);
    return r == 0 && status_has_ended(s) ? -ESRCH : r;
}

static int root_differs(const struct container *c)
{
    struct stat own, theirs;
    if (stat("/", &own) != 0 || fstatat(c->root, "", &theirs, AT_EMPTY_PATH) != 0)
        return -errno;
    return own.st_dev != theirs.st_dev || own.st_ino != theirs.st_ino;
}

/* ---- opening ---- */

static int open_proc(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    return fd;
}

static int identify(struct container *c)
{
    struct status s;
    int r = look_at_status(c, &s);
    if (r == 0)
        r = process_start_time(c->pid, &c->start_time);
    struct status again; /* the start time is of this process only if that is still there */
    if (r == 0)
        r = look_at_status(c, &again);
    c->inner = s.inner;
    c->uid = s.uid[1];
    c->apart |= s.levels > 1;
    return r;
}

static int look(struct container *c)
{
    int mounts = namespace_differs(c->proc, "mnt");
    if (mounts < 0)
        return mounts;
    c->root = openat(c->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c->root < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    int root = root_differs(c);
    if (root < 0)
        return root;
    c->apart = mounts || root;
    return identify(c);
}

int container_open(struct container *c, pid_t pid)
{
    *c = (struct container){.proc = open_proc(pid), .root = -1, .pid = pid};
    if (c->proc < 0)
        return c->proc;
    int r = look(c);
    if (r < 0)
        container_close(c);
    return r;
}

void container_close(struct container *c)
{
    if (c->root >= 0)
        close(c->root);
    if (c->proc >= 0)
        close(c->proc);
    c->proc = c->root = -1;
}

bool container_has_own_pids(pid_t pid)
{
    struct status s;
    struct container c = {.proc = open_proc(pid), .root = -1};
    bool own = c.proc >= 0 && look_at_status(&c, &s) == 0 && s.levels > 1;
    container_close(&c);
    return own;
}

bool container_has_own_time(const struct container *c) { return namespace_differs(c->proc, "time") > 0; }

/* ---- its users ---- */

/* A line of uid_map: "inside outside count", user_namespaces(7). */
struct uid_range {
    unsigned long inside, outside, count;
};

/* Calls for each range of its user namespace until `find` is content. Where it shares ours, ids are the same. */
static bool map_uid(const struct container *c, bool (*find)(const struct uid_range *, uid_t, uid_t *), uid_t from, uid_t *to)
{
    FILE *file;
    struct uid_range range;
    bool found = false;
    if (namespace_differs(c->proc, "user") <= 0) {
        *to = from;
        return true;
    }
    if (open_text(c, "uid_map", &file) < 0)
        return false;
    while (!found && fscanf(file, "%lu %lu %lu", &range.inside, &range.outside, &range.count) == 3)
        found = find(&range, from, to);
    fclose(file);
    return found;
}

static bool to_inside(const struct uid_range *range, uid_t outside, uid_t *inside)
{
    *inside = (uid_t)(range->inside + (outside - range->outside));
    return outside >= range->outside && outside - range->outside < range->count;
}

static bool to_outside(const struct uid_range *range, uid_t inside, uid_t *outside)
{
    *outside = (uid_t)(range->outside + (inside - range->inside));
    return inside >= range->inside && inside - range->inside < range->count;
}

/* ---- its run directory ---- */

int container_setting(const struct container *c, char *buffer, size_t size)
{
    static const char name[] = "TSCAP_DIR=";
    FILE *file;
    char *entry = NULL;
    size_t room = 0;
    buffer[0] = '\0';
    int r = open_text(c, "environ", &file);
    if (r < 0)
        return r;
    while (getdelim(&entry, &room, '\0', file) >= 0)
        if (strncmp(entry, name, sizeof name - 1) == 0) {
            r = snprintf(buffer, size, "%s", entry + sizeof name - 1) < (int)size ? 0 : -ENAMETOOLONG;
            break;
        }
    free(entry);
    fclose(file);
    return r;
}

/* Below this root, private to this user, and with the segment in it. */
static int open_with_segment(const struct container *c, const struct container_rundir *r)
{
    struct stat s;
    int fd = container_open_path(c->root, r->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd == -ELOOP || fd == -ENOTDIR ? -EPERM : fd;
    int e = rundir_check_private(fd, r->uid);
    if (e == 0 && fstatat(fd, r->segment, &s, AT_SYMLINK_NOFOLLOW) != 0)
        e = -errno;
    if (e < 0)
        close(fd);
    return e < 0 ? e : fd;
}

/* Of the user that the process has now, or of its container's root: services begin as root and then become somebody else. */
static int open_as(const struct container *c, struct container_rundir *r, bool root, const char *forced)
{
    uid_t inside = 0;
    r->uid = c->uid;
    if (root ? !map_uid(c, to_outside, 0, &r->uid) : !map_uid(c, to_inside, c->uid, &inside))
        return -ENOENT;
    if (*forced)
        snprintf(r->path, sizeof r->path, "%s", forced);
    else
        snprintf(r->path, sizeof r->path, "/dev/shm/tscap-%lu", (unsigned long)inside);
    return open_with_segment(c, r);
}

int container_open_rundir(const struct container *c, struct container_rundir *r)
{
    char forced[CONTAINER_PATH];
    int e = container_setting(c, forced, sizeof forced);
    *r = (struct container_rundir){.uid = c->uid};
    if (e == 0)
        e = rundir_segment_name(c->inner, c->start_time, r->segment, sizeof r->segment);
    if (e < 0)
        return e;
    struct container_rundir roots = *r;
    int fd = open_as(c, r, false, forced);
    if (fd >= 0)
        return fd;
    int other = open_as(c, &roots, true, forced);
    if (other >= 0)
        *r = roots;
    return other >= 0 ? other : fd;
}

/* ---- what it has mapped ---- */

/* "begin-end rights offset device inode   path" */
static bool is_mapping(const char *line, uint64_t address, uint64_t bytes, ino_t inode)
{
    uint64_t begin, end;
    unsigned long number;
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %*x:%*x %lu", &begin, &end, &number) == 3 && begin == address &&
           end - begin == bytes && number == inode;
}

bool container_maps(const struct container *c, uint64_t address, uint64_t bytes, ino_t inode)
{
    FILE *file;
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    if (open_text(c, "maps", &file) < 0)
        return false;
    while (!found && getline(&line, &room, file) >= 0)
        found = is_mapping(line, address, bytes, inode);
    free(line);
    fclose(file);
    return found;
}
