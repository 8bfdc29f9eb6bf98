/* Memory of another process: process_vm_readv(2), process_vm_writev(2). Needs the right to trace it. */
#ifndef TSCAP_REMOTE_H
#define TSCAP_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of it: 0, or -errno (-EFAULT: not all of it is there). What a failed write has written already is not told. */
int remote_read(pid_t pid, uint64_t address, void *buffer, size_t size);
int remote_write(pid_t pid, uint64_t address, const void *buffer, size_t size);

/* A text with its end, cut at size - 1 bytes. 0 or -errno. */
int remote_read_text(pid_t pid, uint64_t address, char *buffer, size_t size);

/* Into memory that is not writable: one word after the other, by ptrace(2), through a stopped thread. */
int remote_poke(pid_t tid, uint64_t address, const void *buffer, size_t size);

#endif
