/* Where what a program writes goes while a screen, or tables, of ours are where it would go: a file. */
#ifndef TSCAP_PROGRAM_OUTPUT_H
#define TSCAP_PROGRAM_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct settings;

struct program_output {
    int fd;              /* -1: it writes where we do */
    bool own;            /* nobody named it: it goes if there is nothing in it */
    bool no_input;       /* the terminal's keys are ours */
    char path[PATH_MAX];
};

/* That of --program-output, else ./NAME-PID.log. What is there is not written over without --force, if it is a file. EXIT_OK, or an
 * exit code after a message. To be closed in any case. */
int program_output_open(struct program_output *o, const struct settings *s);

/* The program's number is known. */
void program_output_name(struct program_output *o, pid_t pid);

/* In the child: its stdout and stderr from now on, and with a full screen nothing is its stdin. */
void program_output_take(const struct program_output *o);

/* Says where it is. */
void program_output_close(struct program_output *o);

#endif
