#include "segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "rundir.h"

#define REFUSED_MS 10
#define SPARE_DESCRIPTORS 8
#define MIN_CAPACITY (1ull << 20)

/* ---- limits ---- */

/* One limit file of a control group; UINT64_MAX: none. */
static uint64_t limit_in(const char *path)
{
    char text[32] = "";
    FILE *f = fopen(path, "re");
    if (!f)
        return UINT64_MAX;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    return end == text ? UINT64_MAX : n; /* "max" */
}

/* The smallest memory limit of the groups from `group` up. */
static uint64_t limit_of(const char *root, char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[1024];
        if (snprintf(path, sizeof path, "%s%s/%s", root, group, file) < (int)sizeof path) {
            uint64_t n = limit_in(path);
            least = n < least ? n : least;
        }
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Memory that this process' control group may use, both hierarchies (cgroups(7)); UINT64_MAX: no limit known. */
static uint64_t memory_limit(void)
{
    char line[700];
    uint64_t least = UINT64_MAX;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return least;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        uint64_t n = UINT64_MAX;
        if (strcmp(controllers, ":") == 0)
            n = limit_of("/sys/fs/cgroup", group, "memory.max");
        else if (strstr(controllers, "memory"))
            n = limit_of("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        least = n < least ? n : least;
    }
    fclose(f);
    return least;
}

static uint64_t choose_capacity(uint64_t wanted)
{
    uint64_t limit = memory_limit();
    if (limit / 8 < wanted) /* tmpfs pages count against the group that touches them */
        wanted = limit / 8;
    if (wanted > SEGMENT_MAX_BYTES)
        wanted = SEGMENT_MAX_BYTES;
    if (wanted < MIN_CAPACITY)
        wanted = MIN_CAPACITY;
    return wanted & ~(uint64_t)(SEGMENT_PAGE - 1);
}

/* Growing a file past RLIMIT_FSIZE sends SIGXFSZ, which kills: never get there. */
static bool file_size_allowed(uint64_t bytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

/* ---- the file ---- */

/* Space is reserved before it is touched: on a full tmpfs this is an error code here instead of SIGBUS there. */
static int reserve(int fd, uint64_t offset, uint64_t bytes)
{
    if (!file_size_allowed(offset + bytes))
        return -EFBIG;
    int r;
    do
        r = posix_fallocate(fd, (off_t)offset, (off_t)bytes);
    while (r == EINTR);
    return -r;
}

static int open_unnamed(int dirfd, const char *hidden, bool *named)
{
    *named = false;
    int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd >= 0 ? fd : -errno;
    *named = true; /* a file system without O_TMPFILE: a name that no reader takes for a segment */
    unlinkat(dirfd, hidden, 0);
    fd = openat(dirfd, hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : -errno;
}

static int give_name(int dirfd, int fd, bool named, const char *hidden, const char *name)
{
    char self[64];
    unlinkat(dirfd, name, 0); /* of this very process: pid and start time are in the name */
    if (named)
        return renameat(dirfd, hidden, dirfd, name) == 0 ? 0 : -errno;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, dirfd, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* A segment whose boot nobody knows is taken for one of a dead process, and removed. */
static int fill_header(struct segment *s, const struct segment_options *o)
{
    struct segment_header *h = s->header;
    struct clock_anchor anchor = clock_anchor_take(clock_source_now);
    h->abi = SEGMENT_ABI;
    h->page_size = SEGMENT_PAGE;
    h->header_bytes = sizeof *h;
    h->lane_bytes = sizeof(struct lane);
    h->pid = (uint32_t)s->pid;
    h->parent_pid = o->lineage[0].pid;
    memcpy(h->lineage, o->lineage, sizeof h->lineage);
    h->start_time = s->start_time;
    h->capacity = s->capacity;
    int r = process_boot_id(h->boot_id, sizeof h->boot_id);
    if (r == -EMFILE || r == -ENFILE)
        return r;
    process_command(s->pid, h->command, sizeof h->command);
    snprintf(h->python, sizeof h->python, "%s", o->python);
    snprintf(h->version, sizeof h->version, "%s", o->version);
    h->clock_source = clock_source_now;
    h->default_ring_slots = o->ring_slots;
    h->anchor_ticks = anchor.ticks;
    h->anchor_monotonic = anchor.monotonic;
    h->anchor_realtime = anchor.realtime;
    h->anchor_boottime = anchor.boottime;
    h->anchor_width = anchor.width;
    h->address = (uint64_t)(uintptr_t)s->base;
    atomic_store_explicit(&h->pages_used, 1, memory_order_relaxed);
    h->magic = SEGMENT_MAGIC;
    return 0;
}

/* Address space for the whole capacity, so that pages never move; less of it where that is limited. */
static int map_all(struct segment *s, int fd)
{
    for (; s->capacity >= MIN_CAPACITY; s->capacity = s->capacity / 2 & ~(uint64_t)(SEGMENT_PAGE - 1)) {
        void *p = mmap(NULL, s->capacity, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (p != MAP_FAILED) {
            s->base = p;
            s->header = p;
            return 0;
        }
    }
    return -ENOMEM;
}

static int make(struct segment *s, const struct segment_options *o, int dirfd, int fd, bool named, const char *hidden)
{
    struct stat st;
    int r = reserve(fd, 0, SEGMENT_PAGE);
    if (r == 0)
        r = map_all(s, fd);
    if (r < 0)
        return r;
    r = fill_header(s, o);
    if (r == 0)
        r = fstat(fd, &st) == 0 ? give_name(dirfd, fd, named, hidden, s->name) : -errno;
    if (r < 0) {
        munmap(s->base, s->capacity);
        return r;
    }
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return 0;
}

/* For what is kept anyway: where descriptors are few, whoever listens needs them more. */
static bool are_many_left(int fd)
{
    int copy[SPARE_DESCRIPTORS], copies = 0;
    while (copies < SPARE_DESCRIPTORS && (copy[copies] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        copies++;
    for (int i = 0; i < copies; i++)
        close(copy[i]);
    return copies == SPARE_DESCRIPTORS;
}

int segment_create(struct segment *s, const struct segment_options *o)
{
    char path[RUNDIR_PATH_MAX], hidden[80];
    *s = (struct segment){.pid = getpid(), .capacity = choose_capacity(o->capacity), .kept = -1};
    int r = process_start_time(s->pid, &s->start_time);
    if (r == 0)
        r = rundir_segment_name(s->pid, s->start_time, s->name, sizeof s->name);
    if (r == 0)
        r = rundir_path(geteuid(), path, sizeof path);
    if (r < 0)
        return r;
    int dirfd = rundir_open(geteuid(), true);
    if (dirfd < 0)
        return dirfd;
    if (!realpath(path, s->directory))
        r = -errno;
    bool named = false;
    snprintf(hidden, sizeof hidden, ".%s", s->name);
    int fd = r < 0 ? r : open_unnamed(dirfd, hidden, &named);
    if (fd < 0) {
        close(dirfd);
        return fd;
    }
    r = make(s, o, dirfd, fd, named, hidden);
    if (r < 0 && named)
        unlinkat(dirfd, hidden, 0);
    if (r == 0 && geteuid() == 0 && are_many_left(fd))
        atomic_store_explicit(&s->kept, fd, memory_order_relaxed);
    else
        close(fd);
    close(dirfd);
    if (r < 0)
        s->base = NULL;
    return r;
}

static bool is_same(const struct segment *s, const struct stat *st) { return st->st_dev == s->device && st->st_ino == s->inode; }

/* Programs close descriptors they do not know, and the number may come back as theirs. */
static bool is_ours(const struct segment *s, int fd, bool named)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && is_same(s, &st) && (!named || st.st_nlink > 0);
}

/* -EBADF: it is not there any more, or the file was removed. Another thread may close it meanwhile: what it is copied to is
 * looked at, too. */
static int copy_kept(const struct segment *s)
{
    int kept = atomic_load_explicit(&s->kept, memory_order_relaxed);
    if (!is_ours(s, kept, true))
        return -EBADF;
    int fd = fcntl(kept, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (is_ours(s, fd, true))
        return fd;
    close(fd);
    return -EBADF;
}

static void drop_kept(struct segment *s)
{
    int kept = atomic_exchange_explicit(&s->kept, -1, memory_order_relaxed);
    if (is_ours(s, kept, false))
        close(kept);
}

/* The file again, by name. It must still be the same. Servers that root starts become another user, or change their root, and
 * have no way to it any more: then by what is kept. */
static int reopen(const struct segment *s)
{
    char path[sizeof s->directory + sizeof s->name + 1];
    snprintf(path, sizeof path, "%s/%s", s->directory, s->name);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int error = -errno, copy = error == -EACCES || error == -ENOENT ? copy_kept(s) : -EBADF;
        return copy == -EBADF ? error : copy;
    }
    if (is_ours(s, fd, false))
        return fd;
    close(fd);
    return -ESTALE;
}

int segment_check(const struct segment *s)
{
    int fd = reopen(s);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static uint32_t refuse(struct segment *s)
{
    atomic_fetch_add_explicit(&s->header->refused_growth, 1, memory_order_relaxed);
    return 0;
}

/* The next numbers, within the capacity; 0: there are no more. */
static uint32_t take_numbers(struct segment *s, uint32_t count)
{
    _Atomic uint32_t *used = &s->header->pages_used;
    uint32_t first = atomic_load_explicit(used, memory_order_relaxed);
    do
        if (first + (uint64_t)count > s->capacity / SEGMENT_PAGE)
            return 0;
    while (!atomic_compare_exchange_weak_explicit(used, &first, first + count, memory_order_relaxed, memory_order_relaxed));
    return first;
}

/* Gives them back if nobody took later ones. */
static void return_numbers(struct segment *s, uint32_t first, uint32_t count)
{
    uint32_t after = first + count;
    atomic_compare_exchange_strong_explicit(&s->header->pages_used, &after, first, memory_order_relaxed, memory_order_relaxed);
}

static uint32_t milliseconds(void) { return (uint32_t)(clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000); }

/* Asking takes microseconds, and a call that finds no memory asks each time. Fewer pages may still be had. */
static bool refused_lately(const struct segment *s, uint32_t count)
{
    uint64_t refused = atomic_load_explicit(&s->refused, memory_order_relaxed);
    return refused && count >= (uint32_t)(refused >> 32) && milliseconds() - (uint32_t)refused < REFUSED_MS;
}

static void note_refusal(struct segment *s, uint32_t count)
{
    atomic_store_explicit(&s->refused, (uint64_t)count << 32 | milliseconds(), memory_order_relaxed);
}

uint32_t segment_pages(struct segment *s, uint32_t count)
{
    uint32_t first = refused_lately(s, count) ? 0 : take_numbers(s, count);
    if (!first)
        return refuse(s);
    uint64_t offset = (uint64_t)first * SEGMENT_PAGE, bytes = (uint64_t)count * SEGMENT_PAGE;
    int fd = reopen(s);
    int r = fd < 0 ? fd : reserve(fd, offset, bytes);
    if (fd >= 0)
        close(fd);
    if (r < 0) {
        return_numbers(s, first, count);
        note_refusal(s, count);
        return refuse(s);
    }
    madvise((char *)s->base + offset, bytes, MADV_POPULATE_WRITE); /* one call instead of a fault per page; may fail */
    return first;
}

bool segment_unlink(struct segment *s)
{
    char path[sizeof s->directory + sizeof s->name + 1];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", s->directory, s->name);
    drop_kept(s);
    bool gone = lstat(path, &st) != 0 ? errno == ENOENT : !is_same(s, &st) || unlink(path) == 0;
    if (!gone)
        atomic_store_explicit(&s->header->ended, 1, memory_order_relaxed);
    return gone;
}

void segment_close(struct segment *s)
{
    drop_kept(s);
    munmap(s->base, s->capacity);
}
