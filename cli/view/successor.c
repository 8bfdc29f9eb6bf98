#include "successor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool stands_there(const char *path, int fd, struct stat *ours)
{
    struct stat there;
    return fstat(fd, ours) == 0 && lstat(path, &there) == 0 && S_ISREG(there.st_mode) && there.st_dev == ours->st_dev &&
           there.st_ino == ours->st_ino;
}

static int open_unnamed(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) + 1 : 0;
    snprintf(folder, sizeof folder, "%.*s", length, path);
    return open(length ? folder : ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
}

int successor_make(struct successor *s, const char *path, int fd)
{
    struct stat ours;
    *s = (struct successor){.fd = -1};
    if (!stands_there(path, fd, &ours))
        return -ESTALE;
    if (snprintf(s->path, sizeof s->path, "%s.%ld.new", path, (long)getpid()) >= (int)sizeof s->path)
        return -ENAMETOOLONG;
    s->fd = open_unnamed(path);
    if (s->fd < 0) { /* not all file systems can */
        s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        s->named = s->fd >= 0;
    }
    if (s->fd >= 0 && fchmod(s->fd, ours.st_mode & 0777) == 0)
        return 0;
    int error = errno;
    successor_drop(s);
    return -error;
}

static int give_name(struct successor *s)
{
    char link[64];
    if (s->named)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", s->fd);
    s->named = linkat(AT_FDCWD, link, AT_FDCWD, s->path, AT_SYMLINK_FOLLOW) == 0;
    return s->named ? 0 : -errno;
}

int successor_take_place(struct successor *s, const char *path, int fd)
{
    struct stat ours;
    int r = give_name(s);
    if (r == 0 && !stands_there(path, fd, &ours)) /* any more */
        r = -ESTALE;
    if (r == 0 && rename(s->path, path) != 0)
        r = -errno;
    if (r < 0)
        successor_drop(s);
    s->named = false;
    return r;
}

void successor_drop(struct successor *s)
{
    if (s->named)
        unlink(s->path);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->named = false;
}
