/* Tasks: the threads of a process as /proc knows them, asked for their CPU time by the numbers that they have for themselves. */
#ifndef TSCAP_TASKS_H
#define TSCAP_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct task {
    pid_t tid, inner; /* here, and for itself */
};

struct tasks {
    pid_t pid;
    bool apart;        /* it may be in another pid namespace */
    bool listed;       /* only then: all are in here, by `inner` */
    struct task *task;
    size_t count, room;
};

void tasks_begin(struct tasks *t, pid_t pid, bool apart);
void tasks_free(struct tasks *t);

/* A snapshot_ask_cpu: `context` is a struct tasks. */
bool tasks_ask_cpu(void *context, uint32_t tid, uint64_t *cpu);

#endif
