#include "lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int lifeline_name(pid_t pid, uint64_t start_time, char *buffer, size_t size)
{
    int n = snprintf(buffer, size, "%ld-%" PRIu64 ".life", (long)pid, start_time);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Open for both, it waits for nobody, and is no reason for a signal to who writes. */
int lifeline_make(int dirfd, const char *name)
{
    if (mkfifoat(dirfd, name, 0600) != 0)
        return -errno;
    int fd = openat(dirfd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    if (fd < 0)
        unlinkat(dirfd, name, 0);
    return fd < 0 ? -error : fd;
}

void lifeline_let_go(int fd)
{
    ssize_t unused = write(fd, "", 1);
    (void)unused;
}

int lifeline_open(const char *directory, pid_t pid, uint64_t start_time)
{
    char name[LIFELINE_NAME], path[PATH_MAX];
    struct stat s;
    int r = lifeline_name(pid, start_time, name, sizeof name);
    if (r < 0 || snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode) && s.st_uid == geteuid())
        return fd;
    close(fd);
    return -EPERM;
}
