#include "callers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "labels.h"
#include "message.h"
#include "named.h"
#include "terminal.h"

#define NOBODY "(nobody that was recorded)"

struct caller_row {
    struct profile_times t;          /* first: see cells.h */
    const struct profile_site *site; /* (borrowed) NULL: the call came from code that was not recorded */
    const char *label;               /* (borrowed) */
};

/* Those of one function. */
struct callers {
    struct cells cells; /* first; the whole: inclusive time of the function */
    char **label;       /* (borrowed) */
    struct caller_row *row;
    size_t count, left_out; /* by the filter */
};

/* ---- rows ---- */

static struct caller_row make_row(const struct callers *x, uint32_t id, const struct profile_times *t)
{
    const struct profile *p = &x->cells.capture->profile;
    const struct profile_site *site = profile_site(p, id);
    return (struct caller_row){.t = *t, .site = site, .label = site ? label_of(x->label, p, site) : NOBODY};
}

static bool fits_filter(const struct filter *f, const struct caller_row *row)
{
    return row->site ? filter_fits_site(f, row->site, row->label) : filter_fits(f, row->label);
}

static bool make_rows(struct callers *x, enum callers_of of, uint32_t id, const struct filter *f)
{
    const struct profile *p = &x->cells.capture->profile;
    x->row = calloc((size_t)p->pairs + 1, sizeof *x->row);
    for (uint32_t i = 0; x->row && i < p->pairs; i++) {
        const struct profile_pair *pair = &p->pair[i];
        if ((of == CALLERS ? pair->callee : pair->caller) != id || !metric_any(&pair->t))
            continue;
        struct caller_row row = make_row(x, of == CALLERS ? pair->caller : pair->callee, &pair->t);
        if (fits_filter(f, &row))
            x->row[x->count++] = row;
        else
            x->left_out++;
    }
    return x->row != NULL;
}

/* ---- columns ---- */

#define ROW(pointer) ((const struct caller_row *)(pointer))

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    label_with_place(buffer, size, ROW(row)->label, ROW(row)->site);
}

const struct column caller_columns[] = {
    {"calls", "calls", "calls of one by the other", 1, false, 0, cell_count, key_calls, NULL, NULL},
    {"inclusive", "inclusive", "time in these calls and all they called; of recursive ones the outermost", 1, false, 0,
     cell_time, key_inclusive, NULL, NULL},
    {"exclusive", "exclusive", "time of the callee itself in these calls", 1, false, 2, cell_time, key_exclusive, NULL, NULL},
    {"percent", "%", "inclusive, as a share of the function's", 1, false, 1, cell_percent, key_inclusive, NULL, NULL},
    {"cpu", "CPU", "exclusive time on a CPU", 1, false, 3, cell_cpu_time, key_exclusive_cpu, NULL, NULL},
    {"open", "open", "calls that have not ended", 1, false, 4, cell_count, key_open, NULL, NULL},
    {"name", "name", "the other function, with file and line", 1, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

/* ---- one function ---- */

static bool print_rows(struct callers *x, const struct callers_options *o)
{
    struct table t;
    const void **order = calloc(x->count + 1, sizeof *order);
    for (size_t i = 0; order && i < x->count; i++)
        order[i] = &x->row[i];
    if (order)
        column_sort(o->sort, order, x->count, x);
    table_begin(&t, caller_columns, 1, x);
    table_keep(&t, o->sort);
    table_choose(&t, o->columns);
    t.failed |= !order;
    for (size_t i = 0; order && i < x->count && i < o->limit; i++)
        table_add(&t, order[i]);
    free(order);
    return table_finish(&t, stdout, o->width, terminal_styled());
}

static void tell_left_out(const struct callers *x, uint64_t limit)
{
    if (x->count > limit)
        printf("%" PRIu64 " more not shown (--limit)\n", x->count - limit);
    if (x->left_out)
        printf("%zu not shown (--filter)\n", x->left_out);
}

static bool print_one(const struct capture *c, enum callers_of of, char **label, const struct profile_site *site, const struct callers_options *o)
{
    char name[TABLE_CELL];
    struct callers x = {.cells = {.capture = c, .whole = site->t.inclusive}, .label = label};
    label_with_place(name, sizeof name, label_of(label, &c->profile, site), site);
    if (o->width)
        text_cut_path(name, o->width - strlen("callers of "));
    printf("\n%s of %s\n", of == CALLERS ? "callers" : "callees", name);
    bool whole = make_rows(&x, of, site->id, o->filter);
    if (whole && !x.count && !x.left_out)
        printf("it called nothing that was recorded\n");
    else if (whole)
        whole = print_rows(&x, o);
    if (whole)
        tell_left_out(&x, o->limit);
    free(x.row);
    return whole;
}

/* ---- all that the name means ---- */

int callers_check(const struct capture *c, enum callers_of of, const char *name, const char *command, const char *operand)
{
    char nearest[640] = "";
    size_t count = 0;
    char **label = labels_make(&c->profile);
    uint32_t *found = label ? named_find(&c->profile, label, name, &count) : NULL;
    if (label && !found)
        named_nearest(&c->profile, label, name, nearest, sizeof nearest);
    labels_free(label, &c->profile);
    free(found);
    if (found || !label || count || !nearest[0])
        return EXIT_OK; /* without memory, or any function, that is said by who prints */
    return fail(EXIT_FAILED,
                "no function is called '%s'\n"
                "the nearest of those that were called: %s\n"
                "tscap %s --%s '%.*s' %s",
                name, nearest, command, of == CALLERS ? "callers" : "callees", (int)strcspn(nearest, ","), nearest, operand);
}

bool callers_print(const struct capture *c, enum callers_of of, const struct callers_options *o)
{
    size_t count = 0;
    char **label = labels_make(&c->profile);
    uint32_t *found = label ? named_find(&c->profile, label, o->name, &count) : NULL;
    bool whole = label && (found || !count);
    for (size_t i = 0; found && whole && i < count; i++)
        whole = print_one(c, of, label, &c->profile.site[found[i]], o);
    free(found);
    labels_free(label, &c->profile);
    return whole;
}
