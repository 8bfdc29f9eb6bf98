#include "functions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "difference.h"
#include "labels.h"
#include "terminal.h"
#include "text.h"
#include "units.h"

/* ---- rows ---- */

static void add_row(struct functions *f, const struct profile_site *site, const struct profile_times *t)
{
    const char *label = label_of(f->label, &f->cells.capture->profile, site);
    struct function_row row = {.t = *t, .site = site, .label = label};
    f->waits |= site->t.waited || site->t.suspended;
    f->moves |= site->t.bytes;
    if (!metric_any(&row.t)) {
        f->silent++;
        return;
    }
    f->row[f->count++] = row;
    f->calls += row.t.calls;
    f->cells.whole += row.t.exclusive;
}

int functions_make(struct functions *f, const struct capture *now, const struct capture *before)
{
    const struct profile *p = &now->profile;
    struct profile_times *since = difference_sites(p, capture_earlier(now, before));
    *f = (struct functions){.cells.capture = now};
    f->row = calloc((size_t)p->sites + 1, sizeof *f->row);
    f->label = labels_make(p);
    if (!f->row || !f->label || !since) {
        free(since);
        functions_free(f);
        return -ENOMEM;
    }
    f->seconds = capture_seconds(now, before);
    for (uint32_t i = 0; i < p->sites; i++)
        add_row(f, &p->site[i], &since[i]);
    free(since);
    return 0;
}

void functions_free(struct functions *f)
{
    if (f->cells.capture)
        labels_free(f->label, &f->cells.capture->profile);
    free(f->row);
    *f = (struct functions){0};
}

/* ---- columns ---- */

#define ROW(pointer) ((const struct function_row *)(pointer))
#define FUNCTIONS(pointer) ((const struct functions *)(pointer))

static uint64_t key_min(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.min; }
static uint64_t key_max(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.max; }
static uint64_t key_p50(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.p50; }
static uint64_t key_p95(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.p95; }
static uint64_t key_p99(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.p99; }

static uint64_t key_deviation(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.deviation; }
static uint64_t key_elapsed_min(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.elapsed_min; }
static uint64_t key_elapsed_max(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.elapsed_max; }
static uint64_t key_elapsed_p50(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.elapsed_p50; }
static uint64_t key_elapsed_p95(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.elapsed_p95; }
static uint64_t key_elapsed_p99(const void *row, const void *context) { (void)context; return ROW(row)->site->spread.elapsed_p99; }
static uint64_t key_bytes(const void *row, const void *context) { (void)context; return ROW(row)->t.bytes; }

static bool nothing_waits(const void *context) { return !FUNCTIONS(context)->waits; }
static bool nothing_moves(const void *context) { return !FUNCTIONS(context)->moves; }
static bool is_alone(const void *context) { return !FUNCTIONS(context)->cells.capture->whole_tree; }
static bool unless_chosen(const void *context) { (void)context; return true; }

static uint64_t key_primitive(const void *row, const void *context) { (void)context; return ROW(row)->t.primitive_calls; }
static uint64_t key_raised(const void *row, const void *context) { (void)context; return ROW(row)->t.raised; }
static uint64_t key_waited(const void *row, const void *context) { (void)context; return ROW(row)->t.waited; }
static uint64_t key_processes(const void *row, const void *context) { (void)context; return ROW(row)->site->processes; }

/* As yappi's tavg: inclusive time of the outermost calls, by all calls. */
static uint64_t key_mean(const void *row, const void *context)
{
    (void)context;
    return ROW(row)->t.calls ? ROW(row)->t.inclusive / ROW(row)->t.calls : 0;
}

/* As the mean: elapsed time of the outermost calls, by all calls. */
static uint64_t key_elapsed_mean(const void *row, const void *context)
{
    (void)context;
    return ROW(row)->t.calls ? ROW(row)->t.elapsed / ROW(row)->t.calls : 0;
}

/* What only calls that have ended can tell. */
static void cell_ended(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    if (ROW(row)->site->spread.ended)
        cell_time(c, row, context, buffer, size);
    else
        cell_unknown(buffer, size);
}

static void cell_mean(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    if (ROW(row)->t.calls)
        cell_time(c, row, context, buffer, size);
    else
        cell_unknown(buffer, size);
}

static void cell_rate(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    double seconds = FUNCTIONS(context)->seconds;
    (void)c;
    units_write_number(buffer, size, seconds > 0 ? (double)ROW(row)->t.calls / seconds : 0);
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    label_with_place(buffer, size, ROW(row)->label, ROW(row)->site);
}

#define DUMPS (FUNCTIONS_DUMP | FUNCTIONS_DUMP_FAMILY)
#define TOPS (FUNCTIONS_TOP | FUNCTIONS_TOP_FAMILY)
#define FAMILIES (FUNCTIONS_DUMP_FAMILY | FUNCTIONS_TOP_FAMILY)
#define ALL (DUMPS | TOPS)
const struct column function_columns[] = {
    {"calls", "calls", "calls begun", ALL, false, 0, cell_count, key_calls, NULL, NULL},
    {"rate", "calls/s", "calls per second", TOPS, false, 5, cell_rate, key_calls, NULL, NULL},
    {"inclusive", "inclusive", "time in the function and all it called; of recursive calls the outermost", ALL, false, 1,
     cell_time, key_inclusive, NULL, NULL},
    {"exclusive", "exclusive", "time in the function itself: less its recorded callees", ALL, false, 0,
     cell_time, key_exclusive, NULL, NULL},
    {"percent", "%", "exclusive, as a share of all functions", ALL, false, 2, cell_percent, key_exclusive, NULL, NULL},
    {"mean", "mean", "inclusive by calls", ALL, false, 5, cell_mean, key_mean, NULL, NULL},
    {"min", "min", "shortest call that has ended", DUMPS, false, 9, cell_ended, key_min, NULL, NULL},
    {"max", "max", "longest call that has ended", DUMPS, false, 7, cell_ended, key_max, NULL, NULL},
    {"p50", "p50", "half of the calls took at most this, within 3.2 %", DUMPS, false, 8, cell_ended, key_p50, NULL, NULL},
    {"p95", "p95", "95 % of the calls took at most this", DUMPS, false, 6, cell_ended, key_p95, NULL, NULL},
    {"p99", "p99", "99 % of the calls took at most this", DUMPS, false, 4, cell_ended, key_p99, NULL, NULL},
    {"stddev", "stddev", "standard deviation of the calls that have ended", DUMPS, false, 9, cell_ended, key_deviation, NULL, NULL},
    {"cpu", "CPU", "exclusive time on a CPU", ALL, false, 3, cell_cpu_time, key_exclusive_cpu, NULL, NULL},
    {"open", "open", "calls that have not ended", ALL, false, 4, cell_count, key_open, NULL, NULL},
    {"suspended", "suspended", "generators and coroutines that wait now", ALL, false, 11, cell_count, key_suspended, NULL, NULL},
    {"elapsed", "elapsed", "inclusive, and what generators and coroutines waited between start and return", ALL, false, 2,
     cell_time, key_elapsed, NULL, nothing_waits},
    {"el.mean", "el.mean", "elapsed by calls", ALL, false, 3, cell_mean, key_elapsed_mean, NULL, nothing_waits},
    {"el.min", "el.min", "shortest elapsed time of a call that has ended", DUMPS, false, 9, cell_ended, key_elapsed_min, NULL, nothing_waits},
    {"el.max", "el.max", "longest elapsed time of a call that has ended", DUMPS, false, 7, cell_ended, key_elapsed_max, NULL, nothing_waits},
    {"el.p50", "el.p50", "half of the calls elapsed in at most this", DUMPS, false, 8, cell_ended, key_elapsed_p50, NULL, nothing_waits},
    {"el.p95", "el.p95", "95 % of the calls elapsed in at most this", DUMPS, false, 6, cell_ended, key_elapsed_p95, NULL, nothing_waits},
    {"el.p99", "el.p99", "99 % of the calls elapsed in at most this", DUMPS, false, 4, cell_ended, key_elapsed_p99, NULL, nothing_waits},
    {"bytes", "bytes", "that its calls said they moved", ALL, false, 3, cell_count, key_bytes, NULL, nothing_moves},
    {"processes", "processes", "processes that have called it", FAMILIES, false, 4, cell_count, key_processes, NULL, is_alone},
    {"primitive", "primitive", "calls that found the function not open on their thread", DUMPS, false, 4, cell_count, key_primitive, NULL, unless_chosen},
    {"raised", "raised", "calls that ended by an exception", DUMPS, false, 4, cell_count, key_raised, NULL, unless_chosen},
    {"waited", "waited", "time between suspension and resumption of generators and coroutines", DUMPS, false, 4, cell_time, key_waited, NULL, unless_chosen},
    {"name", "name", "function or block, with file and line", ALL, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

const struct column *functions_sort_column(enum function_table table, const char *name, int *code)
{
    return column_sorting(function_columns, table, name, "exclusive", table & TOPS ? "top" : "dump", code);
}

/* Rows that the filter lets stand. */
static size_t list_rows(const struct functions *f, const struct filter *filter, const void **order)
{
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++)
        if (filter_fits_site(filter, f->row[i].site, f->row[i].label))
            order[count++] = &f->row[i];
    return count;
}

bool functions_print(const struct functions *f, enum function_table table, const struct functions_options *o, size_t *shown)
{
    struct table t;
    const void **order = calloc(f->count + 1, sizeof *order);
    size_t count = order ? list_rows(f, o->filter, order) : 0;
    if (order)
        column_sort(o->sort, order, count, f);
    table_begin(&t, function_columns, table, f);
    table_keep(&t, o->sort);
    table_choose(&t, o->columns);
    t.failed |= !order;
    for (size_t i = 0; i < count && i < o->limit; i++)
        table_add(&t, order[i]);
    free(order);
    *shown = count;
    return table_finish(&t, stdout, o->width, terminal_styled());
}
