/* What the seccomp filters of a thread would do about the system calls that attaching makes: one that is not to their liking
 * may end the whole process. */
#ifndef TSCAP_SECCOMP_H
#define TSCAP_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of a thread that is stopped: the name of a call that it would not survive, with or without those that a library in memory
 * takes. NULL: none, or we may not know, for which it takes CAP_SYS_ADMIN. */
const char *seccomp_forbids(pid_t tid, bool in_memory);

/* What one filter answers: SECCOMP_RET_... A program that the kernel would not take kills. */
uint32_t seccomp_answer(const struct sock_filter *code, size_t count, const struct seccomp_data *data);

#endif
