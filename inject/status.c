#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return fopen(path, "re");
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
    else if (sscanf(line, "TracerPid: %d", &number) == 1)
        s->tracer = number;
    else if (sscanf(line, "PPid: %d", &number) == 1)
        s->parent = number;
    else if (sscanf(line, "Seccomp: %d", &number) == 1)
        s->seccomp = number;
    else if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
        s->capabilities = capabilities;
    else if (strncmp(line, "x86_Thread_features:", 20) == 0)
        s->shadow_stack = strstr(line, "shstk") != NULL;
}

int status_read(struct status *s, pid_t pid)
{
    char *line = NULL;
    size_t room = 0;
    *s = (struct status){0};
    FILE *file = open_proc(pid, "status");
    if (!file)
        return errno == ENOENT ? -ESRCH : -errno;
    while (getline(&line, &room, file) >= 0)
        take_line(s, line);
    free(line);
    fclose(file);
    return s->state ? 0 : -ESRCH; /* it ended while we read */
}

bool status_has_shadow_stack(pid_t pid)
{
    struct status s;
    return status_read(&s, pid) == 0 && s.shadow_stack;
}
