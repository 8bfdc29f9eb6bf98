/* The functions of a profile as rows of a table: of the whole recording, or of what came since an earlier look. */
#ifndef TSCAP_FUNCTIONS_H
#define TSCAP_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cells.h"
#include "filter.h"

/* Of one process, and of a family. */
enum function_table { FUNCTIONS_DUMP = 1, FUNCTIONS_TOP = 2, FUNCTIONS_DUMP_FAMILY = 4, FUNCTIONS_TOP_FAMILY = 8 };

struct function_row {
    struct profile_times t;          /* first: see cells.h */
    const struct profile_site *site; /* (borrowed) */
    const char *label;               /* (borrowed) what it is called */
};

struct functions {
    struct cells cells; /* first; the whole: exclusive times of all rows */
    struct function_row *row; /* by site id */
    size_t count;
    char **label;   /* of all sites, as in profile.site */
    size_t silent;  /* sites that are not rows: nothing of them */
    uint64_t calls; /* of all rows */
    bool waits;     /* there are generators or coroutines that wait, or did: in all of the recording, so that columns stay */
    bool moves;     /* bytes were moved: the same */
    double seconds; /* that the rows speak of */
};

extern const struct column function_columns[]; /* of all tables */

/* `before`: NULL, or an earlier look. 0 or -ENOMEM. */
int functions_make(struct functions *f, const struct capture *now, const struct capture *before);
void functions_free(struct functions *f);

/* The column that --sort names, the default for NULL; NULL after a message, or after the list that "help" asks for: then
 * `*code` is the exit code. */
const struct column *functions_sort_column(enum function_table table, const char *name, int *code);

struct functions_options {
    const struct filter *filter;
    const char *columns; /* NULL: all */
    const struct column *sort;
    uint64_t limit;      /* rows */
    size_t width;
};

/* False: no memory. `*shown`: the rows that the filter lets stand, whatever the limit. */
bool functions_print(const struct functions *f, enum function_table table, const struct functions_options *o, size_t *shown);

#endif
