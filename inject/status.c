#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One number for each namespace, the innermost last. */
static void take_levels(struct status *s, const char *text)
{
    char *end;
    for (long number; number = strtol(text, &end, 10), end != text; text = end, s->levels++)
        s->inner = (pid_t)number;
}

static void take_line(struct status *s, const char *line)
{
    unsigned uid[3];
    uint64_t capabilities;
    int number;
    if (sscanf(line, "Uid: %u %u %u", &uid[0], &uid[1], &uid[2]) == 3)
        for (int i = 0; i < 3; i++)
            s->uid[i] = uid[i];
    else if (strncmp(line, "State:\t", 7) == 0)
        s->state = line[7];
    else if (sscanf(line, "Tgid: %d", &number) == 1)
        s->process = number;
    else if (sscanf(line, "Pid: %d", &number) == 1)
        s->inner = number; /* NSpid follows and knows better, where there is one */
    else if (sscanf(line, "PPid: %d", &number) == 1)
        s->parent = number;
    else if (sscanf(line, "TracerPid: %d", &number) == 1)
        s->tracer = number;
    else if (strncmp(line, "NSpid:", 6) == 0)
        take_levels(s, line + 6);
    else if (sscanf(line, "Seccomp: %d", &number) == 1)
        s->seccomp = number;
    else if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
        s->capabilities = capabilities;
    else if (strncmp(line, "x86_Thread_features:", 20) == 0)
        s->shadow_stack = strstr(line, "shstk") != NULL;
}

/* Line by line: that of the groups may be of any length. */
static int read_file(struct status *s, int fd)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fdopen(fd, "r");
    if (!file) {
        close(fd);
        return -ENOMEM;
    }
    while (getline(&line, &room, file) >= 0)
        take_line(s, line);
    free(line);
    fclose(file);
    return s->state && s->state != '\n' ? 0 : -ESRCH; /* it ended while we read */
}

static int read_path(struct status *s, int folder, const char *path)
{
    *s = (struct status){.uid = {(uid_t)-1, (uid_t)-1, (uid_t)-1}};
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    return read_file(s, fd);
}

int status_read(struct status *s, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    return read_path(s, AT_FDCWD, path);
}

int status_read_at(struct status *s, int folder) { return read_path(s, folder, "status"); }

pid_t status_thread_of(pid_t number)
{
    struct status s;
    return status_read(&s, number) == 0 && s.process != number ? s.process : 0;
}

bool status_has_ended(const struct status *s) { return s->state == 'Z' || s->state == 'X'; }

bool status_has_shadow_stack(pid_t pid)
{
    struct status s;
    return status_read(&s, pid) == 0 && s.shadow_stack;
}

pid_t status_inner_tid(pid_t pid, pid_t tid)
{
    char path[64];
    struct status s;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/status", (long)pid, (long)tid);
    return read_path(&s, AT_FDCWD, path) == 0 ? s.inner : 0;
}
