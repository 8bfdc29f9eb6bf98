#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array.h"

static char used[RUNDIR_PATH_MAX];

void rundir_use(const char *path) { snprintf(used, sizeof used, "%s", path); }

int rundir_path(uid_t uid, char *buffer, size_t size)
{
    const char *forced = used[0] ? used : getenv("TSCAP_DIR");
    int n = forced && *forced ? snprintf(buffer, size, "%s", forced) : snprintf(buffer, size, "/dev/shm/tscap-%lu", (unsigned long)uid);
    if (n < 0 || (size_t)n >= size)
        return -ENAMETOOLONG;
    while (n > 1 && buffer[n - 1] == '/') /* open(2) follows a link with a slash after it, O_NOFOLLOW or not */
        buffer[--n] = '\0';
    return 0;
}

int rundir_check_private(int fd, uid_t uid)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -errno;
    return S_ISDIR(s.st_mode) && s.st_uid == uid && (s.st_mode & 077) == 0 ? 0 : -EPERM;
}

int rundir_open(uid_t uid, bool create)
{
    char path[RUNDIR_PATH_MAX];
    int r = rundir_path(uid, path, sizeof path);
    if (r < 0)
        return r;
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno;
    r = rundir_check_private(fd, uid);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int name_of(pid_t pid, uint64_t start_time, const char *suffix, char *buffer, size_t size)
{
    int n = snprintf(buffer, size, "%ld-%" PRIu64 ".%s", (long)pid, start_time, suffix);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int rundir_segment_name(pid_t pid, uint64_t start_time, char *buffer, size_t size)
{
    return name_of(pid, start_time, "tscap", buffer, size);
}

int rundir_socket_name(pid_t pid, uint64_t start_time, char *buffer, size_t size)
{
    return name_of(pid, start_time, "sock", buffer, size);
}

bool rundir_parse_name(const char *name, pid_t *pid, uint64_t *start_time)
{
    char *end, *end2, again[64];
    errno = 0;
    long p = strtol(name, &end, 10);
    if (errno || p <= 0 || p > INT32_MAX || *end != '-')
        return false;
    uint64_t t = strtoull(end + 1, &end2, 10);
    if (errno || rundir_segment_name((pid_t)p, t, again, sizeof again) < 0 || strcmp(again, name) != 0)
        return false;
    *pid = (pid_t)p;
    *start_time = t;
    return true;
}

struct found {
    char name[64];
    pid_t pid;
    uint64_t start_time;
};

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return (x->start_time > y->start_time) - (x->start_time < y->start_time);
}

static int list(DIR *dir, struct found **found, size_t *count)
{
    size_t room = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        struct found f;
        if (!rundir_parse_name(e->d_name, &f.pid, &f.start_time))
            continue;
        snprintf(f.name, sizeof f.name, "%.63s", e->d_name);
        struct found *more = array_room(*found, *count, &room, sizeof *more);
        if (!more)
            return -ENOMEM;
        *found = more;
        (*found)[(*count)++] = f;
    }
    return 0;
}

int rundir_each(int dirfd, rundir_visit *visit, void *context)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int e = errno;
        close(fd);
        return -e;
    }
    struct found *found = NULL;
    size_t count = 0;
    int r = list(dir, &found, &count);
    closedir(dir);
    if (count)
        qsort(found, count, sizeof *found, compare_found);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = visit(context, dirfd, found[i].name, found[i].pid, found[i].start_time);
    free(found);
    return r;
}
