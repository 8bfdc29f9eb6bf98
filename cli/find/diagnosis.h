/* Why a process has no segment here, and what would help. */
#ifndef TSCAP_DIAGNOSIS_H
#define TSCAP_DIAGNOSIS_H

#include <sys/types.h>

#include "place.h"

/* Prints it; the exit code. `command`: what was to be done with it. */
int diagnose_process(pid_t pid, const struct places *places, const char *command);

/* That no CPython is found in it; `image`: its executable, "" for a thread of the kernel. The exit code. */
int diagnose_no_python(pid_t pid, const char *image, const char *command);

/* EXIT_OK: it is not the number of a thread. */
int diagnose_thread(pid_t number, const char *command);

/* The same for a segment that is there but cannot be read: `error` as of view_open(). */
int diagnose_segment(const char *where, int error);

/* And where no process can be recorded at all. */
int diagnose_nothing(const struct places *places);

#endif
