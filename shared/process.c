#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utf8.h"

/* Reads up to size - 1 bytes and ends them with 0. Length or -errno. */
static ssize_t read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t n = 0;
    while (n < size - 1) {
        ssize_t r = read(fd, buffer + n, size - 1 - n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            int e = errno;
            close(fd);
            return -e;
        }
        if (r == 0)
            break;
        n += (size_t)r;
    }
    close(fd);
    buffer[n] = '\0';
    return (ssize_t)n;
}

static ssize_t read_proc(pid_t pid, const char *name, char *buffer, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    ssize_t n = read_file(path, buffer, size);
    return n == -ENOENT ? -ESRCH : n;
}

/* Fields of stat from the third on; the second, the name, may hold blanks and brackets. */
static int stat_fields(pid_t pid, char *buffer, size_t size, char **third)
{
    ssize_t n = read_proc(pid, "stat", buffer, size);
    if (n < 0)
        return (int)n;
    char *end = strrchr(buffer, ')');
    if (!end || end[1] != ' ')
        return -EPROTO;
    *third = end + 2;
    return 0;
}

int process_start_time(pid_t pid, uint64_t *start_time)
{
    char buffer[1024], *p = NULL;
    int r = stat_fields(pid, buffer, sizeof buffer, &p);
    if (r < 0)
        return r;
    if (*p == 'Z' || *p == 'X')
        return -ESRCH;
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (!p)
            return -EPROTO;
        p++;
    }
    *start_time = strtoull(p, NULL, 10);
    return 0;
}

bool process_runs(pid_t pid, uint64_t start_time)
{
    uint64_t now;
    return process_start_time(pid, &now) == 0 && now == start_time;
}

int process_parent(pid_t pid, pid_t *parent)
{
    char buffer[1024], *p = NULL;
    int r = stat_fields(pid, buffer, sizeof buffer, &p);
    if (r < 0)
        return r;
    *parent = (pid_t)strtol(p + 1, NULL, 10);
    return 0;
}

int process_boot_id(char *buffer, size_t size)
{
    ssize_t n = read_file("/proc/sys/kernel/random/boot_id", buffer, size);
    int r = n < 0 ? (int)n : 0;
    if (n < 0)
        n = 0;
    while (n > 0 && buffer[n - 1] == '\n')
        n--;
    buffer[n] = '\0';
    return r;
}

/* C0, DEL, C1; and those that turn the direction of what follows (Unicode TR 9): U+202A to U+202E, U+2066 to U+2069. */
static bool is_control(const unsigned char *p, size_t n)
{
    if (n <= 1)
        return *p < 0x20 || *p == 0x7f;
    if (n == 2)
        return *p == 0xc2 && p[1] < 0xa0;
    return *p == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

void process_printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p;) {
        size_t n = utf8_sequence((const char *)p);
        bool replace = n == 0 || is_control(p, n);
        size_t bytes = n ? n : 1;
        if (replace)
            memset(p, '?', bytes);
        p += bytes;
    }
}

int process_command(pid_t pid, char *buffer, size_t size)
{
    ssize_t n = read_proc(pid, "cmdline", buffer, size);
    if (n < 0)
        return (int)n;
    while (n > 0 && buffer[n - 1] == '\0')
        n--;
    if (n == 0) {
        char name[64];
        ssize_t r = read_proc(pid, "comm", name, sizeof name);
        if (r < 0)
            return (int)r;
        name[strcspn(name, "\n")] = '\0';
        snprintf(buffer, size, "[%s]", name);
    } else {
        for (ssize_t i = 0; i < n; i++)
            if (buffer[i] == '\0')
                buffer[i] = ' ';
        buffer[n] = '\0';
    }
    process_printable(buffer);
    return 0;
}

int process_thread_name(pid_t pid, pid_t tid, char *buffer, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "task/%ld/comm", (long)tid);
    ssize_t n = read_proc(pid, path, buffer, size);
    if (n < 0)
        return (int)n;
    buffer[strcspn(buffer, "\n")] = '\0';
    process_printable(buffer);
    return 0;
}

int process_thread_cpu(pid_t pid, pid_t tid, uint64_t *ns)
{
    char path[64], buffer[128];
    snprintf(path, sizeof path, "task/%ld/schedstat", (long)tid);
    ssize_t n = read_proc(pid, path, buffer, sizeof buffer);
    if (n < 0)
        return (int)n;
    *ns = strtoull(buffer, NULL, 10);
    return *ns ? 0 : -ENOTSUP; /* it has run since it is there */
}

bool process_lacks_mapping(pid_t pid, uint64_t address, uint64_t bytes)
{
    char path[96];
    struct stat s;
    snprintf(path, sizeof path, "/proc/%ld/map_files", (long)pid);
    if (stat(path, &s) != 0)
        return false;
    snprintf(path, sizeof path, "/proc/%ld/map_files/%" PRIx64 "-%" PRIx64, (long)pid, address, address + bytes);
    return lstat(path, &s) != 0 && errno == ENOENT;
}

bool process_thread_alive(pid_t pid, pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld", (long)pid, (long)tid);
    return access(path, F_OK) == 0;
}
