/* Who called a function, and whom it called: --callers and --callees, a table for each function that the name means. */
#ifndef TSCAP_CALLERS_H
#define TSCAP_CALLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "filter.h"
#include "table.h"

enum callers_of { CALLERS, CALLEES };

extern const struct column caller_columns[];

/* Is there a function of this name? EXIT_OK, or an exit code after a message that lists those that are called most alike. */
int callers_check(const struct capture *c, enum callers_of of, const char *name, const char *command, const char *operand);

struct callers_options {
    const char *name;    /* of the function */
    const struct filter *filter;
    const char *columns; /* NULL: all */
    const struct column *sort;
    uint64_t limit;      /* rows of a table */
    size_t width;
};

/* False: no memory. */
bool callers_print(const struct capture *c, enum callers_of of, const struct callers_options *o);

#endif
