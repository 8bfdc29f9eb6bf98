/* Start-up: what makes interpreters that a command starts record from the beginning. A folder of ours in front of its PYTHONPATH,
 * and the file of the run: shared/run_file.h. */
#ifndef TSCAP_STARTUP_H
#define TSCAP_STARTUP_H

#include <limits.h>
#include <stdbool.h>

#include "run_file.h"
#include "rundir.h"

struct startup {
    int dirfd;                /* of the run directory; -1: it is not open */
    int file;                 /* which nobody takes away as long as it is open */
    char name[RUN_FILE_NAME]; /* of it; "": there is none */
    int lifeline;             /* shared/lifeline.h; -errno: there is none */
    char lifeline_name[RUN_FILE_NAME];
    char directory[PATH_MAX];
    char folder[PATH_MAX]; /* of the start-up module; "": there is none */
};

/* `rules`: what to record. EXIT_OK, or an exit code after a message; to be removed in any case. */
int startup_make(struct startup *u, const char *rules);
void startup_end(struct startup *u); /* who begins from now on is not recorded; who ends removes its own */
void startup_remove(struct startup *u);

/* In the child that becomes the command. */
void startup_set_environment(const void *startup);

/* What the interpreters said so far: run_file_line() reads it. To be freed; NULL: it cannot be read. */
char *startup_read(const struct startup *u);

/* Says that this process is there in its place. True: it is the first. */
bool startup_join(const struct startup *u, pid_t pid, uint64_t start_time);

#endif
