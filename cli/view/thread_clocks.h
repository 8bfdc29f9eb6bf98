/* The CPU clocks of the threads of a process, by the numbers that they have for themselves. */
#ifndef TSCAP_THREAD_CLOCKS_H
#define TSCAP_THREAD_CLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct thread_number {
    pid_t tid, inner; /* here, and for itself */
};

struct thread_clocks {
    pid_t pid;
    bool apart;        /* it may be in another pid namespace */
    bool listed;       /* only then: all are in here, by `inner` */
    struct thread_number *thread;
    size_t count, room;
};

void thread_clocks_begin(struct thread_clocks *t, pid_t pid, bool apart);
void thread_clocks_free(struct thread_clocks *t);

/* A snapshot_ask_cpu: `context` is a struct thread_clocks. */
bool thread_clocks_ask_cpu(void *context, uint32_t tid, uint64_t *cpu);

#endif
