#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "mnt:[4026531841]". The same text, the same namespace. */
static int read_name(int proc, const char *path, char *buffer, size_t size)
{
    ssize_t n = readlinkat(proc, path, buffer, size - 1);
    if (n < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    buffer[n] = '\0';
    return 0;
}

int namespace_differs(int proc, const char *kind)
{
    char own[64], theirs[64], path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    if (read_name(AT_FDCWD, path, own, sizeof own) < 0)
        return 0;
    int r = read_name(proc, path + sizeof "/proc/self/" - 1, theirs, sizeof theirs);
    return r < 0 ? r : strcmp(own, theirs) != 0;
}
