#include "run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

#define SUFFIX ".run"

/* ---- its name ---- */

int run_file_name(pid_t pid, uint64_t start_time, char *buffer, size_t size)
{
    int n = snprintf(buffer, size, "%ld-%" PRIu64 SUFFIX, (long)pid, start_time);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool run_file_parse_name(const char *name, pid_t *pid, uint64_t *start_time)
{
    char again[64];
    long number;
    if (sscanf(name, "%ld-%" SCNu64, &number, start_time) != 2 || number <= 0 || number > INT32_MAX)
        return false;
    *pid = (pid_t)number;
    return run_file_name(*pid, *start_time, again, sizeof again) == 0 && strcmp(again, name) == 0;
}

/* ---- all of it ---- */

static int write_all(int fd, const char *text, size_t length)
{
    ssize_t n = write(fd, text, length);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -ENOSPC;
}

int run_file_make(int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = flock(fd, LOCK_EX | LOCK_NB) == 0 ? write_all(fd, text, strlen(text)) : -errno;
    if (r == 0)
        return fd;
    close(fd);
    unlinkat(dirfd, name, 0);
    return r;
}

bool run_file_is_left(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool left = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0; /* shared: who asks at the same time is not taken for its maker */
    if (fd >= 0)
        close(fd);
    return left;
}

static int check(int fd, struct stat *s)
{
    if (fstat(fd, s) != 0)
        return -errno;
    return S_ISREG(s->st_mode) && s->st_uid == geteuid() && (s->st_mode & 077) == 0 ? 0 : -EPERM;
}

char *run_file_read(int fd, int *error)
{
    struct stat s;
    *error = check(fd, &s);
    size_t size = *error == 0 && s.st_size > 0 ? (size_t)s.st_size : 0, used = 0;
    if (size > RUN_FILE_MAX)
        size = RUN_FILE_MAX;
    char *text = *error == 0 ? malloc(size + 1) : NULL;
    if (*error == 0 && !text)
        *error = -ENOMEM;
    for (ssize_t n = 1; text && used < size && n > 0; used += n > 0 ? (size_t)n : 0)
        n = pread(fd, text + used, size - used, (off_t)used);
    if (!text)
        return NULL;
    text[used] = '\0';
    if (strncmp(text, RUN_FILE_FIRST_LINE, strlen(RUN_FILE_FIRST_LINE)) == 0)
        return text;
    free(text);
    *error = -EPROTO;
    return NULL;
}

/* ---- the lines after the empty one ---- */

static bool parse_line(const char *text, size_t length, struct run_file_line *line)
{
    char copy[64 + RUN_FILE_TEXT], *end;
    snprintf(copy, sizeof copy, "%.*s", (int)(length < sizeof copy ? length : sizeof copy - 1), text);
    *line = (struct run_file_line){0};
    errno = 0;
    long pid = strtol(copy, &end, 10);
    if (errno || pid <= 0 || pid > INT32_MAX || *end != ' ')
        return false;
    line->pid = (pid_t)pid;
    if (strncmp(end, " ! ", 3) == 0) {
        snprintf(line->problem, sizeof line->problem, "%.*s", RUN_FILE_TEXT - 1, end + 3);
        process_printable(line->problem);
        return true;
    }
    line->start_time = strtoull(end + 1, &end, 10);
    return !errno && line->start_time && *end == '\0';
}

bool run_file_line(const char *text, size_t n, struct run_file_line *line)
{
    const char *at = strstr(text, "\n\n");
    for (at = at ? at + 2 : ""; *at;) {
        size_t length = strcspn(at, "\n");
        if (parse_line(at, length, line) && n-- == 0)
            return true;
        at += length + (at[length] == '\n');
    }
    return false;
}

/* Lines that say why are no beginnings. */
static bool is_first(const char *text, pid_t pid, uint64_t start_time)
{
    struct run_file_line line;
    for (size_t i = 0; run_file_line(text, i, &line); i++)
        if (line.start_time)
            return line.pid == pid && line.start_time == start_time;
    return false;
}

int run_file_join(int dirfd, const char *path, pid_t pid, uint64_t start_time, bool *first, char **text)
{
    char line[64];
    struct stat s;
    int fd = openat(dirfd, path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int n = snprintf(line, sizeof line, "%ld %" PRIu64 "\n", (long)pid, start_time), r = check(fd, &s);
    if (r == 0)
        r = write_all(fd, line, (size_t)n);
    *text = r == 0 ? run_file_read(fd, &r) : NULL;
    close(fd);
    if (*text)
        *first = is_first(*text, pid, start_time);
    return *text ? 0 : r;
}
