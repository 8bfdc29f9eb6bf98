#include "protection.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespace.h"
#include "target.h"

#define CAPABILITY_SYS_PTRACE 19 /* linux/capability.h */

static bool has_other_mounts(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return false;
    bool other = namespace_differs(proc, "mnt") > 0;
    close(proc);
    return other;
}

/* Set-uid programs, and those that ask for it, have files of root's below /proc: proc(5). */
static bool is_dumpable(pid_t pid, const struct status *s)
{
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
    return stat(path, &about) != 0 || about.st_uid == s->uid[1];
}

void protection_read(struct protection *p, pid_t pid, const struct status *s)
{
    *p = (struct protection){
        .kernel_thread = target_is_kernel_thread(pid),
        .dumpable = is_dumpable(pid, s),
        .shares_memory = s->parent > 1 && syscall(SYS_kcmp, pid, s->parent, KCMP_VM, 0, 0) == 0,
        .other_mounts = has_other_mounts(pid),
    };
}

int protection_yama(void)
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

bool protection_may_trace_others(void)
{
    struct status s;
    return status_read(&s, getpid()) == 0 && s.capabilities >> CAPABILITY_SYS_PTRACE & 1;
}

bool protection_is_descendant(pid_t pid)
{
    struct status s;
    for (int depth = 0; pid > 1 && depth < 4096 && status_read(&s, pid) == 0; depth++, pid = s.parent)
        if (s.parent == getpid())
            return true;
    return false;
}
