/* A job and the processes that descend from it, each found by its parent as long as that lives. Which of them are Python, and
 * since when? They are looked at without being touched. */
#ifndef TSCAP_DESCENDANTS_H
#define TSCAP_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "subject.h"

struct descendant {
    pid_t pid, inner; /* inner: for itself, in another pid namespace */
    uint64_t start_time;
    uint64_t program; /* inode of what it executes; 0: it cannot be seen */
    uint64_t since;   /* CLOCK_MONOTONIC: when that was first seen */
    unsigned looks;   /* at what it is, since then */
    bool python;
    bool deaf;     /* it was told on its command line to take nothing from the environment */
    bool settled;  /* it was attached to, or cannot be */
    bool present;  /* when we looked last */
    char command[SUBJECT_COMMAND];
};

struct descendants {
    pid_t root;
    struct descendant *one;
    size_t count, room;
    uint64_t changed; /* CLOCK_MONOTONIC: the last time that there was somebody, or something, new */
};

void descendants_open(struct descendants *b, pid_t root);
void descendants_free(struct descendants *b);

/* Looks. After how many ns is it worth to do so again? Often where much changes, and never so often that it matters. */
uint64_t descendants_look(struct descendants *b);

/* Is it in the file of the run, `text`: has it come by itself? */
bool descendant_has_come(const struct descendant *d, const char *text);

/* Does this command line (as in /proc/PID/cmdline, `length` bytes) begin an interpreter with -I, -E or -S? */
bool descendants_is_deaf(const char *command_line, size_t length);

#endif
