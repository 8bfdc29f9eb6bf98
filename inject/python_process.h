/* A Python process to be read from outside: which CPython it is, and where that keeps what it knows of itself. */
#ifndef TSCAP_PYTHON_PROCESS_H
#define TSCAP_PYTHON_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct python_process {
    pid_t pid;
    uint32_t version; /* PY_VERSION_HEX; 0: not known */
    uint64_t runtime; /* _PyRuntime */
};

/* 0 or -errno: -ESRCH; -EACCES; -ENOEXEC not CPython; -EPROTONOSUPPORT a build whose structures differ. */
int python_process_find(struct python_process *p, pid_t pid);

/* Reads its memory: a function of struct python_memory, whose context is this. */
int python_process_read(void *process, uint64_t address, void *buffer, size_t size);

#endif
