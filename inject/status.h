/* What the kernel says of a process or a thread: status in its folder below /proc, proc(5). */
#ifndef TSCAP_STATUS_H
#define TSCAP_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct status {
    char state;            /* R, S, D, T, t, Z ... */
    pid_t process;         /* that it is a thread of; of a process: itself */
    uid_t uid[3];          /* real, effective, saved, as we see them */
    pid_t parent;
    pid_t tracer;          /* 0: none */
    pid_t inner;           /* its number in its own pid namespace */
    size_t levels;         /* pid namespaces, from ours down to its own; 0: this kernel does not tell */
    int seccomp;           /* 0 off, 1 strict, 2 filter */
    uint64_t capabilities; /* effective */
    bool shadow_stack;
};

/* 0 or -errno; -ESRCH: there is none, or it is gone. One that has ended and waits for its parent is there. */
int status_read(struct status *s, pid_t pid);
int status_read_at(struct status *s, int folder); /* a descriptor of the folder */

/* The process that this is the number of a thread of; 0: of none, or it is a process. A thread has a folder in /proc, too. */
pid_t status_thread_of(pid_t number);

bool status_has_ended(const struct status *s);
bool status_has_shadow_stack(pid_t pid);
pid_t status_inner_tid(pid_t pid, pid_t tid); /* of a thread, for itself: differs in another pid namespace; 0: it is gone */

#endif
