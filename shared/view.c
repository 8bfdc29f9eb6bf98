#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"
#include "word.h"

static int check_header(const struct segment_header *h, uint64_t bytes)
{
    if (h->magic != SEGMENT_MAGIC)
        return -EBADMSG;
    if (h->abi != SEGMENT_ABI)
        return -EPROTONOSUPPORT;
    bool sane = h->page_size == SEGMENT_PAGE && h->header_bytes == sizeof *h && h->lane_bytes == sizeof(struct lane) &&
                h->capacity >= SEGMENT_PAGE && h->capacity <= SEGMENT_MAX_BYTES && h->capacity % SEGMENT_PAGE == 0 &&
                bytes <= h->capacity && clock_source_name(h->clock_source)[0] != 'u';
    return sane ? 0 : -EBADMSG;
}

static void end_strings(struct segment_header *h)
{
    h->boot_id[sizeof h->boot_id - 1] = h->python[sizeof h->python - 1] = h->version[sizeof h->version - 1] = '\0';
    h->command[sizeof h->command - 1] = '\0';
    process_printable(h->boot_id);
    process_printable(h->python);
    process_printable(h->version);
    process_printable(h->command);
}

int view_header(const struct view *v, uint64_t bytes, struct segment_header *h)
{
    words_read(h, v->base, sizeof *h);
    end_strings(h);
    return check_header(h, bytes);
}

int view_of_memory(struct view *v, const void *base, uint64_t bytes)
{
    *v = (struct view){.base = base, .bytes = bytes & ~(uint64_t)(SEGMENT_PAGE - 1), .fd = -1};
    v->mapped = v->bytes;
    return v->bytes >= SEGMENT_PAGE ? view_header(v, v->bytes, &v->identity) : -EBADMSG;
}

int view_of_own(struct view *v, const void *base, uint64_t capacity)
{
    int r = view_of_memory(v, base, (uint64_t)word_read(&((const struct segment_header *)base)->pages_used) * SEGMENT_PAGE);
    v->mapped = capacity;
    return r;
}

static int file_bytes(int fd, uint64_t *bytes)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -errno;
    *bytes = (uint64_t)s.st_size & ~(uint64_t)(SEGMENT_PAGE - 1);
    return 0;
}

uint64_t view_bytes_now(const struct view *v)
{
    uint64_t bytes = v->bytes;
    if (v->fd < 0 && v->mapped > v->bytes)
        bytes = (uint64_t)word_read(&((const struct segment_header *)v->base)->pages_used) * SEGMENT_PAGE;
    if (v->fd >= 0 && file_bytes(v->fd, &bytes) < 0)
        bytes = 0;
    return bytes < v->mapped ? bytes : v->mapped;
}

static int check_file(int fd, long owner)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -errno;
    return S_ISREG(s.st_mode) && (owner < 0 || s.st_uid == (uid_t)owner) ? 0 : -EPERM;
}

static int map_file(struct view *v, const struct segment_header *header)
{
    void *p = mmap(NULL, header->capacity, PROT_READ, MAP_SHARED | MAP_NORESERVE, v->fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    v->base = p;
    v->mapped = header->capacity;
    v->identity = *header;
    end_strings(&v->identity);
    return 0;
}

int view_open(struct view *v, int dirfd, const char *name, long owner)
{
    struct segment_header header;
    *v = (struct view){.fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (v->fd < 0)
        return errno == ELOOP ? -EPERM : -errno;
    int r = check_file(v->fd, owner);
    if (r == 0)
        r = file_bytes(v->fd, &v->bytes);
    if (r == 0 && (v->bytes < SEGMENT_PAGE || pread(v->fd, &header, sizeof header, 0) != sizeof header))
        r = -EBADMSG;
    if (r == 0)
        r = check_header(&header, v->bytes);
    if (r == 0)
        r = map_file(v, &header);
    if (r < 0) {
        close(v->fd);
        *v = (struct view){.fd = -1};
    }
    return r;
}

bool view_version(const char *path, char version[VIEW_VERSION])
{
    struct segment_header header;
    const size_t size = offsetof(struct segment_header, version) + sizeof header.version; /* the same in each ABI */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool known = fd >= 0 && check_file(fd, -1) == 0 && pread(fd, &header, size, 0) == (ssize_t)size && header.magic == SEGMENT_MAGIC;
    if (fd >= 0)
        close(fd);
    if (!known)
        return false;
    memcpy(version, header.version, sizeof header.version);
    version[sizeof header.version - 1] = '\0';
    process_printable(version);
    return version[0] != '\0';
}

void view_close(struct view *v)
{
    if (v->fd < 0)
        return;
    munmap((void *)v->base, v->mapped);
    close(v->fd);
    v->fd = -1;
}

/* ---- a file that shrinks under us: SIGBUS, within the mapped range only ---- */

static _Thread_local sigjmp_buf guard_jump;
static _Thread_local const char *guard_begin, *guard_end;

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    const char *p = info->si_addr;
    if (guard_begin && p >= guard_begin && p < guard_end)
        siglongjmp(guard_jump, 1);
    signal(signal_number, SIG_DFL); /* not ours: happens again, and counts */
}

int view_guarded(const struct view *v, view_reader *read, void *context)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER}, before;
    if (v->fd < 0)
        return read(context);
    sigaction(SIGBUS, &action, &before);
    guard_begin = v->base;
    guard_end = guard_begin + v->mapped;
    int r = sigsetjmp(guard_jump, 1) == 0 ? read(context) : -EIO;
    guard_begin = guard_end = NULL;
    sigaction(SIGBUS, &before, NULL);
    return r;
}
