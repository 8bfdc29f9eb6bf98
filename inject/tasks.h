/* The threads of a process, those first that are likely to be at a good place. */
#ifndef TSCAP_TASKS_H
#define TSCAP_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TASKS_MAX 4096

struct tasks {
    pid_t tid[TASKS_MAX];
    size_t count;
};

/* Those that wait in the kernel first, the main thread before others. 0 or -errno; -ESRCH the process is gone. */
int tasks_read(struct tasks *t, pid_t pid);

size_t tasks_count(pid_t pid); /* 0: the process is gone */
bool tasks_waits(pid_t pid, pid_t tid); /* one thread: is it in a system call? */

#endif
