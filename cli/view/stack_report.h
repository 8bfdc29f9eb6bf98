/* Stacks for people and for programs. */
#ifndef TSCAP_STACK_REPORT_H
#define TSCAP_STACK_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "stacks.h"

struct stack_report {
    const struct stacks *stacks; /* (borrowed) */
    pid_t pid;                   /* whose */
};

void stack_report_print(const struct stack_report *r);
bool stack_report_json(const struct stack_report *r, FILE *out); /* false: no memory */

#endif
