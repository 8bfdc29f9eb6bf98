/* A descriptor and what it was: programs close descriptors they do not know, and the number may come back as theirs. */
#ifndef TSCAP_OWN_FD_H
#define TSCAP_OWN_FD_H

#include <stdbool.h>
#include <sys/types.h>

struct own_fd {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

bool own_fd_set(struct own_fd *f, int fd); /* false: it is not open */
bool own_fd_is_ours(const struct own_fd *f);
void own_fd_close(struct own_fd *f);

#endif
