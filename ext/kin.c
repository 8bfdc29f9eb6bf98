#include "kin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lineage.h"
#include "rundir.h"
#include "tenant.h"

static int open_directory(const struct segment *s) { return open(s->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

/* Of a segment of this boot. */
static bool read_header(const struct tenant *t, const struct segment *own, struct segment_header *h)
{
    return tenant_header(t, h) && memcmp(h->boot_id, own->header->boot_id, sizeof h->boot_id) == 0;
}

/* session_flags of the nearest ancestor that has a segment; 0: there is none. */
static unsigned session_above(const struct segment *s)
{
    unsigned flags = 0;
    int dirfd = open_directory(s);
    for (unsigned i = 0; dirfd >= 0 && i < SEGMENT_LINEAGE; i++) {
        const struct ancestor *a = &s->header->lineage[i];
        struct segment_header h;
        if (a->pid && read_header(&(struct tenant){dirfd, (pid_t)a->pid, a->start_time}, s, &h)) {
            flags = atomic_load_explicit(&h.session_flags, memory_order_relaxed);
            break;
        }
    }
    if (dirfd >= 0)
        close(dirfd);
    return flags;
}

bool kin_record(const struct segment *s)
{
    unsigned needed = SESSION_RUNNING | SESSION_SUBPROCESSES;
    return (session_above(s) & needed) == needed;
}

static int count_file(void *count, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    (void)dirfd, (void)name, (void)pid, (void)start_time;
    return ++*(unsigned *)count >= KIN_FILES;
}

bool kin_keep(const struct segment *s)
{
    unsigned count = 0;
    bool wanted = session_above(s) & SESSION_SUBPROCESSES;
    int dirfd = wanted ? open_directory(s) : -1;
    if (dirfd >= 0) {
        rundir_each(dirfd, count_file, &count);
        close(dirfd);
    }
    return dirfd >= 0 && count < KIN_FILES;
}

static int clear_one(void *context, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    const struct segment *s = context;
    struct segment_header h;
    struct tenant tenant = {dirfd, pid, start_time};
    (void)name;
    if (read_header(&tenant, s, &h) && lineage_has(h.lineage, s->pid, s->start_time) && tenant_has_left(&tenant))
        tenant_remove(&tenant, NULL, NULL);
    return 0;
}

void kin_clear(const struct segment *s)
{
    int dirfd = open_directory(s);
    if (dirfd < 0)
        return;
    rundir_each(dirfd, clear_one, (void *)s);
    close(dirfd);
}
