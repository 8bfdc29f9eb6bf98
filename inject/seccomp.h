/* What the seccomp filters of a thread would do about the system calls that are made in it because of us: one that is not to
 * their liking may end the whole process. */
#ifndef TSCAP_SECCOMP_H
#define TSCAP_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum seccomp_use {
    SECCOMP_RECORDING = 1, /* to begin with it, and in each thread that is recorded */
    SECCOMP_OBEYING = 2,   /* to hear any order, and to answer */
    SECCOMP_DETACHING = 4,
    SECCOMP_ATTACHING = 8, /* to load the library, to start threads of ours, to import the package, to listen */
    SECCOMP_IN_MEMORY = 16, /* for a library in memory */
};

/* Of a thread that is stopped: the name of a call that it would not survive, of those that such uses take. NULL: none, or we
 * may not know, for which it takes CAP_SYS_ADMIN. Where the kernel itself would make such a call when the thread goes on
 * with what we have interrupted, that ends with EINTR. */
const char *seccomp_forbids(pid_t tid, unsigned use);

/* What one filter answers: SECCOMP_RET_... A program that the kernel would not take kills. */
uint32_t seccomp_answer(const struct sock_filter *code, size_t count, const struct seccomp_data *data);

#endif
