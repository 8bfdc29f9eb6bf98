/* A plan of attaching: what a process is, what stands in the way, and how to get into it. Made by looking: it is neither
 * stopped nor touched. */
#ifndef TSCAP_PLAN_H
#define TSCAP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "extension.h"
#include "load.h"
#include "protection.h"
#include "status.h"
#include "target.h"

struct problem;

/* How to get into it. */
enum method {
    METHOD_AUTO,   /* by a script where its CPython runs one, else as by ptrace */
    METHOD_SCRIPT, /* PEP 768 */
    METHOD_PTRACE, /* one of its threads is made to */
    METHOD_MEMFD,  /* so, too, and what it loads is brought in memory: it need not see our files */
};

#define PLAN_PROBLEMS 16
#define PLAN_SCRIPTS_SINCE 14 /* 3.14: PEP 768 */

struct plan {
    pid_t pid;
    enum method method; /* that was asked for */
    bool runs_scripts;  /* when they are handed over from outside */

    /* what was seen */
    int error; /* 0 or -errno: of looking at it, then of looking inside */
    struct status status;
    struct protection protection;
    int yama;
    bool may_trace; /* any process */
    struct target target;
    bool pypy, musl;
    bool unwanted; /* TSCAP_DISABLE */
    bool asked;    /* whether it runs scripts: the answer is */
    enum load_problem scripts;
    struct extension extension;
    bool extension_found;

    /* what stands in the way, in the order in which it matters */
    const struct problem *problem[PLAN_PROBLEMS];
    size_t problems;
};

void plan_make(struct plan *p, pid_t pid, enum method method);

/* The one to name; NULL: nothing forbids it. */
const struct problem *plan_forbidden_by(const struct plan *p);

/* Says so: an exit code after a message; EXIT_OK: nothing forbids it. */
int plan_check(const struct plan *p);

#endif
