/* Problems: what may stand in the way of attaching to a process; one row each. */
#ifndef TSCAP_PROBLEM_H
#define TSCAP_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "exit_code.h"
#include "wording.h"

struct plan;

/* When its facts are known: see plan.c. */
enum problem_stage { STAGE_PROCESS, STAGE_RIGHTS, STAGE_INSIDE, STAGE_PYTHON, STAGE_STATE, STAGE_SCRIPTS, STAGE_EXTENSION, STAGE_END };

struct problem {
    enum problem_stage stage;
    bool last; /* nothing else is worth knowing then */
    enum exit_code code; /* EXIT_OK: it may do harm to the attempt, or not */
    bool (*stands)(const struct plan *p);
    struct wording wording;
};
extern const struct problem problems[];
extern const size_t problem_count;

/* Adds those of a stage. False: nothing else is worth knowing. */
bool problems_judge(struct plan *p, enum problem_stage stage);

void problem_text(const struct problem *x, const struct plan *p, struct wording_text *t);
int problem_tell(const struct problem *x, const struct plan *p); /* its code, after the message */

#endif
