/* The run directory: where the segments of one user's processes lie, each with its control socket beside it.
 *
 *   $TSCAP_DIR, else /dev/shm/tscap-<uid>/        mode 0700, owned by the user, not a link
 *     4242-1234567.tscap                          pid - start time: mode 0600
 *     4242-1234567.sock                           the listener's socket, while the process lives
 *
 * Errors are -errno; -EPERM: the directory exists but is not private to its user. */
#ifndef TSCAP_RUNDIR_H
#define TSCAP_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RUNDIR_PATH_MAX 512

/* Path of the run directory of `uid`, without slashes at its end. -ENAMETOOLONG: $TSCAP_DIR does not fit. */
int rundir_path(uid_t uid, char *buffer, size_t size);

/* From now on this one instead of what the environment says. */
void rundir_use(const char *path);

/* Opens it (O_PATH-like directory fd), checked to be a directory of `uid`'s own with no rights for others; with
 * `create`, makes it first. The fd, -ENOENT, -EPERM, ... */
int rundir_open(uid_t uid, bool create);

/* Is what is open a directory of `uid`'s own with no rights for others? 0, -EPERM. */
int rundir_check_private(int fd, uid_t uid);

int rundir_segment_name(pid_t pid, uint64_t start_time, char *buffer, size_t size);
int rundir_socket_name(pid_t pid, uint64_t start_time, char *buffer, size_t size);

/* Is this file name that of a segment, and whose? */
bool rundir_parse_name(const char *name, pid_t *pid, uint64_t *start_time);

/* One call per segment found, in order of pid. A non-zero return ends the walk and is returned. */
typedef int rundir_visit(void *context, int dirfd, const char *name, pid_t pid, uint64_t start_time);
int rundir_each(int dirfd, rundir_visit *visit, void *context);

#endif
