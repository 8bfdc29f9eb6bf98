/* The seccomp filters of all threads of a process: does each of them survive what will be called in it? */
#ifndef TSCAP_FILTERS_H
#define TSCAP_FILTERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "seccomp.h"

/* What its threads will be used for: bits of enum seccomp_use; 0: for nothing, such a thread is left alone. */
struct filters_use {
    unsigned first;  /* thread of the process, which runs pending calls */
    unsigned ours;   /* those that we have started in it */
    unsigned others;
};

/* Could any thread that is used have a filter that we may look at? It takes root. */
bool filters_may_be_known(pid_t pid, const struct filters_use *use);

/* Stops each such thread for a moment. The name of a system call that one of them would not survive; NULL: none, or we may
 * not know. For a process that may trace, and holds its signals (load_apart()). */
const char *filters_forbid(pid_t pid, const struct filters_use *use);

#endif
