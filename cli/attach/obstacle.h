/* What stands in the way of attaching to a process, found without touching it. */
#ifndef TSCAP_OBSTACLE_H
#define TSCAP_OBSTACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "exit_code.h"
#include "extension.h"
#include "load.h"
#include "protection.h"
#include "status.h"
#include "target.h"

/* As the messages are made: what, why, remedy. */
struct obstacle {
    enum exit_code code; /* EXIT_OK: it may do harm to the attempt, or not */
    char what[256], why[768], remedy[768];
};

/* How to get into it. */
enum method {
    METHOD_AUTO,   /* by a script where its CPython runs one, else as by ptrace */
    METHOD_SCRIPT, /* PEP 768 */
    METHOD_PTRACE, /* one of its threads is made to */
    METHOD_MEMFD,  /* so, too, and what it loads is brought in memory: it need not see our files */
};

/* What is known of the process after looking. */
struct prospect {
    pid_t pid;
    enum method method; /* that was asked for */
    bool runs_scripts;  /* when they are handed over from outside */
    struct status status;
    struct protection protection;
    struct target target;
    struct extension extension;
};

#define OBSTACLES_MAX 16

/* All of them, in the order in which they matter; the first with a code is the one to name. */
size_t obstacles_find(struct obstacle *o, size_t room, struct prospect *p, pid_t pid, enum method method);
const struct obstacle *obstacles_worst(const struct obstacle *o, size_t count); /* NULL: nothing forbids it */

int obstacle_tell(const struct obstacle *o); /* prints the message; its code */

/* Why loading did not work after all. Prints; the exit code. */
int obstacle_of_load(const struct prospect *p, const struct load_report *r);

#endif
