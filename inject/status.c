#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespace.h"
#include "target.h"

#define CAPABILITY_SYS_PTRACE 19 /* linux/capability.h */

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return fopen(path, "re");
}

static pid_t last_number(const char *text)
{
    pid_t number = 0;
    for (char *end; *text && *text != '\n'; text = end) {
        number = (pid_t)strtol(text, &end, 10);
        if (end == text)
            break;
    }
    return number;
}

static void take_line(struct status *s, const char *line)
{
    unsigned uid[3];
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
    else if (sscanf(line, "Threads: %d", &number) == 1)
        s->threads = (unsigned)number;
    else if (strncmp(line, "NSpid:", 6) == 0)
        s->inner_pid = last_number(line + 6);
    else if (strncmp(line, "x86_Thread_features:", 20) == 0)
        s->shadow_stack = strstr(line, "shstk") != NULL;
}

static void compare_namespaces(struct status *s, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return;
    s->other_mounts = namespace_differs(proc, "mnt") > 0;
    s->other_pids = namespace_differs(proc, "pid") > 0;
    s->other_users = namespace_differs(proc, "user") > 0;
    close(proc);
}

/* Set-uid programs, and those that ask for it, have files of root's below /proc: proc(5). */
static bool is_dumpable(pid_t pid, const struct status *s)
{
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
    return stat(path, &about) != 0 || about.st_uid == s->uid[1];
}

int status_read(struct status *s, pid_t pid)
{
    char *line = NULL;
    size_t room = 0;
    *s = (struct status){.inner_pid = pid};
    FILE *file = open_proc(pid, "status");
    if (!file)
        return errno == ENOENT ? -ESRCH : -errno;
    while (getline(&line, &room, file) >= 0)
        take_line(s, line);
    free(line);
    fclose(file);
    if (!s->state)
        return -ESRCH; /* it ended while we read */
    s->kernel_thread = target_is_kernel_thread(pid);
    s->dumpable = is_dumpable(pid, s);
    s->shares_memory = s->parent > 1 && syscall(SYS_kcmp, pid, s->parent, KCMP_VM, 0, 0) == 0;
    compare_namespaces(s, pid);
    return 0;
}

bool status_has_shadow_stack(pid_t pid)
{
    struct status s;
    return status_read(&s, pid) == 0 && s.shadow_stack;
}

int status_yama(void)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%d", &scope) != 1)
        scope = 0;
    fclose(file);
    return scope;
}

bool status_may_trace_others(void)
{
    unsigned long long effective = 0;
    char *line = NULL;
    size_t room = 0;
    FILE *file = open_proc(getpid(), "status");
    while (file && getline(&line, &room, file) >= 0)
        if (sscanf(line, "CapEff: %llx", &effective) == 1)
            break;
    free(line);
    if (file)
        fclose(file);
    return effective >> CAPABILITY_SYS_PTRACE & 1;
}

bool status_is_descendant(pid_t pid)
{
    struct status s;
    for (int depth = 0; pid > 1 && depth < 4096 && status_read(&s, pid) == 0; depth++, pid = s.parent)
        if (s.parent == getpid())
            return true;
    return false;
}
