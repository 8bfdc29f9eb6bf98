/* A job: a command that we started and wait for, as if we were not there. It is in our process group, so what the terminal sends
 * it gets by itself, and so does what is sent to the whole group; what is sent to us alone is handed on; when it stops so do we, for the shell that waits for us to see. */
#ifndef TSCAP_JOB_H
#define TSCAP_JOB_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "witness.h"

struct job {
    pid_t pid;
    int status; /* as of wait(2), if it has */
    bool ended;
    sigset_t before, signals;
    struct witness witness;
};

/* From now on signals wait for job_wait(). */
void job_begin(struct job *j);

/* Until it ends. Meanwhile `look` is called now and then; it returns after how many ns again; or JOB_LEAVE, and then this returns at
 * once, to be called again later. */
#define JOB_LEAVE UINT64_MAX
void job_wait(struct job *j, uint64_t (*look)(void *context), void *context);

/* Has it? Waits for nothing, and leaves it alone if it is stopped: for who has the terminal meanwhile. */
bool job_has_ended(struct job *j);

/* As a shell has it: 128 + n for signal n. */
int job_exit_code(const struct job *j);

#endif
