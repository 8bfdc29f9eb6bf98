#include "sweep.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rundir.h"
#include "tenant.h"

static bool is_needless(const struct tenant *t, const char *name)
{
    struct stat s;
    struct segment_header h;
    return fstatat(t->dirfd, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() &&
           (time(NULL) - s.st_mtime > SWEEP_AGE_SECONDS || (tenant_header(t, &h) && h.ended));
}

static int sweep_one(void *context, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    struct tenant tenant = {dirfd, pid, start_time};
    (void)context;
    if (is_needless(&tenant, name) && !tenant_may_live(&tenant))
        tenant_remove(&tenant, NULL, NULL);
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
