/* The processes that can be recorded, as a table and as JSON: schema "tscap.processes/1", man/tscap.processes.schema.json. */
#ifndef TSCAP_PROCESSES_H
#define TSCAP_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "subject.h"

/* `ended`: also those; `tree`: each below the one that it descends from. False without memory; so the next. */
bool processes_print(const struct subjects *all, bool ended, bool tree);
bool processes_json(const struct subjects *all, bool ended, FILE *out);

/* How many are listed. */
size_t processes_listed(const struct subjects *all, bool ended);

#endif
