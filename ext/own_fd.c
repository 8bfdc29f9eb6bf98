#include "own_fd.h"

#include <sys/stat.h>
#include <unistd.h>

bool own_fd_set(struct own_fd *f, int fd)
{
    struct stat s;
    f->fd = fd;
    if (fd < 0 || fstat(fd, &s) != 0)
        return false;
    f->device = s.st_dev;
    f->inode = s.st_ino;
    return true;
}

bool own_fd_is_ours(const struct own_fd *f)
{
    struct stat s;
    return f->fd >= 0 && fstat(f->fd, &s) == 0 && s.st_dev == f->device && s.st_ino == f->inode;
}

void own_fd_close(struct own_fd *f)
{
    if (own_fd_is_ours(f))
        close(f->fd);
    f->fd = -1;
}
