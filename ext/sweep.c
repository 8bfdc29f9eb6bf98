#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "process.h"
#include "rundir.h"
#include "segment.h"

#define KNOCK_MS 200

static bool has_ended(int dirfd, const char *name)
{
    struct segment_header h;
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool whole = fd >= 0 && pread(fd, &h, sizeof h, 0) == sizeof h;
    if (fd >= 0)
        close(fd);
    return whole && h.magic == SEGMENT_MAGIC && h.abi == SEGMENT_ABI && h.header_bytes == sizeof h && h.ended;
}

static bool is_needless(int dirfd, const char *name)
{
    struct stat s;
    return fstatat(dirfd, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() &&
           (time(NULL) - s.st_mtime > SWEEP_AGE_SECONDS || has_ended(dirfd, name));
}

/* A process of another pid namespace is not in our /proc, but its listener answers. */
static bool may_live(int dirfd, pid_t pid, uint64_t start_time)
{
    uint64_t now;
    struct control_request request = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .command = CONTROL_STATUS};
    struct control_address to = {.dirfd = dirfd, .pid = pid, .start_time = start_time};
    struct control_reply reply;
    if (process_start_time(pid, &now) == 0 && now == start_time)
        return true;
    int r = control_ask(&to, &request, &reply, KNOCK_MS);
    return r != -ENOENT && r != -ECONNREFUSED;
}

static int sweep_one(void *context, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    char socket[64];
    (void)context;
    if (!is_needless(dirfd, name) || may_live(dirfd, pid, start_time))
        return 0;
    unlinkat(dirfd, name, 0);
    if (rundir_socket_name(pid, start_time, socket, sizeof socket) == 0)
        unlinkat(dirfd, socket, 0);
    return 0;
}

void sweep_run_directory(const char *path)
{
    int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dirfd < 0)
        return;
    rundir_each(dirfd, sweep_one, NULL);
    close(dirfd);
}
