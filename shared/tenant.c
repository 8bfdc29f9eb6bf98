#include "tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "process.h"
#include "rundir.h"

#define KNOCK_MS 200

bool tenant_header(const struct tenant *t, struct segment_header *h)
{
    char name[64];
    if (rundir_segment_name(t->pid, t->start_time, name, sizeof name) < 0)
        return false;
    int fd = openat(t->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool whole = fd >= 0 && pread(fd, h, sizeof *h, 0) == sizeof *h;
    if (fd >= 0)
        close(fd);
    return whole && h->magic == SEGMENT_MAGIC && h->abi == SEGMENT_ABI && h->header_bytes == sizeof *h;
}

bool tenant_is_replaced(const struct segment_header *h, pid_t pid)
{
    return !h->address || process_lacks_mapping(pid, h->address, h->capacity);
}

static bool is_of_this_boot(const struct segment_header *h)
{
    char boot_id[sizeof h->boot_id];
    process_boot_id(boot_id, sizeof boot_id);
    return strncmp(boot_id, h->boot_id, sizeof boot_id) == 0;
}

/* Somebody is there by that number, and it is surely not who made the segment. */
static bool has_gone(const struct tenant *t)
{
    struct segment_header h;
    bool own = tenant_header(t, &h) && h.pid == (uint32_t)t->pid && h.start_time == t->start_time && is_of_this_boot(&h);
    return own && tenant_is_replaced(&h, t->pid);
}

static bool answers(const struct tenant *t)
{
    struct control_address to = {.dirfd = t->dirfd, .pid = t->pid, .start_time = t->start_time};
    struct control_request request = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .command = CONTROL_STATUS};
    struct control_reply reply;
    int r = control_ask(&to, &request, &reply, KNOCK_MS);
    return r != -ENOENT && r != -ECONNREFUSED;
}

bool tenant_may_live(const struct tenant *t) { return process_runs(t->pid, t->start_time) ? !has_gone(t) : answers(t); }

bool tenant_has_left(const struct tenant *t)
{
    struct segment_header h;
    return (tenant_header(t, &h) && atomic_load(&h.closing)) || !tenant_may_live(t);
}

static int remove_file(const struct tenant *t, const char *name, tenant_told *told, void *context)
{
    int error = unlinkat(t->dirfd, name, 0) == 0 ? 0 : -errno;
    if (error == -ENOENT)
        return 0;
    if (told)
        told(context, name, error);
    return error;
}

int tenant_remove(const struct tenant *t, tenant_told *told, void *context)
{
    char segment[64], socket[64];
    int r = rundir_segment_name(t->pid, t->start_time, segment, sizeof segment);
    if (r == 0)
        r = rundir_socket_name(t->pid, t->start_time, socket, sizeof socket);
    if (r < 0)
        return r;
    int first = remove_file(t, segment, told, context), second = remove_file(t, socket, told, context);
    return first ? first : second;
}
