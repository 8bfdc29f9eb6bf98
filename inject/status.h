/* What stands in the way of tracing a process: /proc/PID/status and its neighbours. Reads only. */
#ifndef TSCAP_STATUS_H
#define TSCAP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct status {
    uid_t uid[3];        /* real, effective, saved */
    pid_t tracer;        /* 0: none */
    pid_t parent;
    char state;          /* R, S, D, T, t, Z ... */
    int seccomp;         /* 0 off, 1 strict, 2 filter */
    unsigned threads;
    pid_t inner_pid;     /* in its innermost pid namespace */
    bool kernel_thread;
    bool dumpable;       /* its /proc files are its user's own */
    bool shares_memory;  /* with its parent: a vfork that has not run a program yet */
    bool other_mounts, other_pids, other_users; /* namespaces that are not ours */
    bool shadow_stack;
};

int status_read(struct status *s, pid_t pid); /* 0 or -errno; -ESRCH */

bool status_has_shadow_stack(pid_t pid);

int status_yama(void);              /* kernel.yama.ptrace_scope; 0 where there is no Yama */
bool status_may_trace_others(void); /* have we CAP_SYS_PTRACE? */
bool status_is_descendant(pid_t pid); /* of ours: what Yama 1 allows */

#endif
