/* What protects a process from being traced, apart from what its status says. Reads only. */
#ifndef TSCAP_PROTECTION_H
#define TSCAP_PROTECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "status.h"

struct protection {
    bool kernel_thread;
    bool dumpable;      /* its /proc files are its user's own */
    bool shares_memory; /* with its parent: a vfork that has not run a program yet */
    bool other_mounts;  /* a mount namespace that is not ours */
};

void protection_read(struct protection *p, pid_t pid, const struct status *s);

int protection_yama(void);                /* kernel.yama.ptrace_scope; 0 where there is no Yama */
bool protection_may_trace_others(void);   /* have we CAP_SYS_PTRACE? */
bool protection_is_descendant(pid_t pid); /* of ours: what Yama 1 allows */

#endif
