/* Stacks for people and for programs. */
#ifndef TSCAP_STACK_REPORT_H
#define TSCAP_STACK_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "stacks.h"

void stack_report_print(const struct stacks *s, pid_t pid);
bool stack_report_json(const struct stacks *s, pid_t pid, FILE *out); /* false: no memory */

#endif
