#include "remote.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define PAGE 4096u

static int check(ssize_t moved, size_t size)
{
    if (moved < 0)
        return -errno;
    return (size_t)moved == size ? 0 : -EFAULT;
}

int remote_read(pid_t pid, uint64_t address, void *buffer, size_t size)
{
    struct iovec here = {buffer, size}, there = {(void *)(uintptr_t)address, size};
    return check(process_vm_readv(pid, &here, 1, &there, 1, 0), size);
}

int remote_write(pid_t pid, uint64_t address, const void *buffer, size_t size)
{
    struct iovec here = {(void *)(uintptr_t)buffer, size}, there = {(void *)(uintptr_t)address, size};
    return check(process_vm_writev(pid, &here, 1, &there, 1, 0), size);
}

/* Page by page: what follows the text may not be there. */
int remote_read_text(pid_t pid, uint64_t address, char *buffer, size_t size)
{
    size_t used = 0;
    while (used < size - 1) {
        size_t part = PAGE - address % PAGE;
        if (part > size - 1 - used)
            part = size - 1 - used;
        int r = remote_read(pid, address, buffer + used, part);
        if (r < 0)
            return r;
        if (memchr(buffer + used, 0, part))
            return 0;
        used += part;
        address += part;
    }
    buffer[used] = '\0';
    return 0;
}

int remote_poke(pid_t tid, uint64_t address, const void *buffer, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(long)) {
        long word = 0;
        size_t part = size - i < sizeof word ? size - i : sizeof word;
        memcpy(&word, (const char *)buffer + i, part);
        if (ptrace(PTRACE_POKEDATA, tid, (void *)(uintptr_t)(address + i), (void *)word) != 0)
            return -errno;
    }
    return 0;
}
