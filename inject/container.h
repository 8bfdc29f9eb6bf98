/* A process that lives apart from us: in another pid or mount namespace (a container) or below another root. It has a number
 * and a user id of its own there, and its files are found through its root only (/proc/PID/root, proc(5)).
 *
 * What lies there is its users' to forge: paths are resolved inside of that root only, whatever links there are, and what is
 * found must belong to the process' user. To look takes the rights of ptrace(2) to read: the process' user with no fewer
 * capabilities than it has, the owner of its user namespace, or CAP_SYS_PTRACE. */
#ifndef TSCAP_CONTAINER_H
#define TSCAP_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTAINER_PATH 512

struct container {
    int proc; /* its directory in /proc: leads to this process or, once that has ended, nowhere */
    int root;
    bool apart;       /* false: it sees what we see; nothing below is known then */
    pid_t pid, inner; /* its number for us, and for itself */
    uid_t uid;        /* effective, as we see it */
    uint64_t start_time;
};

/* 0; -ESRCH: no such process; -EACCES: we may not look into it; -ENOMEM ... To be closed if 0. */
int container_open(struct container *c, pid_t pid);
void container_close(struct container *c);

/* Has it a pid namespace of its own? Everybody may know that. */
bool container_has_own_pids(pid_t pid);

/* Does its clock begin elsewhere (time_namespaces(7))? Its times mean nothing to us then. */
bool container_has_own_time(const struct container *c);

struct container_rundir {
    char path[CONTAINER_PATH]; /* as the process sees it */
    uid_t uid;                 /* whose it is, as we see it */
    char segment[64];          /* name of the process' segment in it */
};

/* Opens the run directory that has its segment: $TSCAP_DIR of its environment or the default one. The descriptor; -ENOENT:
 * there is none, and `path` says where it would be; -EPERM: it is not private to the process' user; -EACCES ... */
int container_open_rundir(const struct container *c, struct container_rundir *r);

/* $TSCAP_DIR as the process began; "" if not set. 0 or -errno. */
int container_setting(const struct container *c, char *buffer, size_t size);

/* Has it mapped this file, at just this range? That no other process can pretend. */
bool container_maps(const struct container *c, uint64_t address, uint64_t bytes, ino_t inode);

/* Opens a file or directory by a path within `root`, which links cannot leave. The descriptor or -errno; -ELOOP: a link where
 * none is allowed (the last part, and all of them on kernels before 5.6). */
int container_open_path(int root, const char *path, int flags);

#endif
