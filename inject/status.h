/* What the kernel says of a process: /proc/PID/status, proc(5). */
#ifndef TSCAP_STATUS_H
#define TSCAP_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct status {
    uid_t uid[3]; /* real, effective, saved */
    pid_t tracer; /* 0: none */
    pid_t parent;
    char state;            /* R, S, D, T, t, Z ... */
    int seccomp;           /* 0 off, 1 strict, 2 filter */
    uint64_t capabilities; /* effective */
    bool shadow_stack;
};

int status_read(struct status *s, pid_t pid); /* 0 or -errno; -ESRCH */

bool status_has_shadow_stack(pid_t pid);

#endif
