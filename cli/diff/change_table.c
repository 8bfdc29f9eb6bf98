#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change_text.h"
#include "sides.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

struct context {
    const struct comparison *comparison;
    bool waits; /* there is time between suspension and resumption */
};

#define CHANGE(pointer) ((const struct change *)(pointer))
#define COMPARISON(pointer) (((const struct context *)(pointer))->comparison)

/* ---- cells ---- */

#define KEY(name, side, quantity) \
    static uint64_t key_##name(const void *row, const void *context) \
    { \
        return comparison_function_median(COMPARISON(context), CHANGE(row), side, quantity); \
    }
KEY(a_calls, SIDE_A, QUANTITY_CALLS)
KEY(b_calls, SIDE_B, QUANTITY_CALLS)
KEY(a_exclusive, SIDE_A, QUANTITY_EXCLUSIVE)
KEY(b_exclusive, SIDE_B, QUANTITY_EXCLUSIVE)
KEY(a_cpu, SIDE_A, QUANTITY_CPU)
KEY(b_cpu, SIDE_B, QUANTITY_CPU)
KEY(a_inclusive, SIDE_A, QUANTITY_INCLUSIVE)
KEY(b_inclusive, SIDE_B, QUANTITY_INCLUSIVE)
KEY(a_elapsed, SIDE_A, QUANTITY_ELAPSED)
KEY(b_elapsed, SIDE_B, QUANTITY_ELAPSED)
KEY(a_p50, SIDE_A, QUANTITY_P50)
KEY(b_p50, SIDE_B, QUANTITY_P50)
KEY(a_p95, SIDE_A, QUANTITY_P95)
KEY(b_p95, SIDE_B, QUANTITY_P95)
KEY(a_p99, SIDE_A, QUANTITY_P99)
KEY(b_p99, SIDE_B, QUANTITY_P99)

static void cell_count(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    change_write_count(c->key(row, context), buffer, size);
}

static void cell_time(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    change_write_time(c->key(row, context), buffer, size);
}

static void cell_a_per_call(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_per_call(CHANGE(row), SIDE_A, buffer, size);
}

static void cell_b_per_call(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_per_call(CHANGE(row), SIDE_B, buffer, size);
}

static void cell_outcome(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_outcome(CHANGE(row), buffer, size);
}

static void cell_relative(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_relative(CHANGE(row)->relative, buffer, size);
}

static void cell_share(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%.1f", 100 * CHANGE(row)->share);
}

static void cell_p(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_probability(CHANGE(row), CHANGE(row)->p, buffer, size);
}

static void cell_q(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_probability(CHANGE(row), CHANGE(row)->q, buffer, size);
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    change_write_name(CHANGE(row), buffer, size);
}

static bool no_waits(const void *context) { return !((const struct context *)context)->waits; }
static bool by_wall(const void *context) { return COMPARISON(context)->metric == QUANTITY_EXCLUSIVE; }

static const struct column columns[] = {
    {"outcome", "outcome", "what became of it", 1, true, 0, cell_outcome, NULL, NULL, NULL},
    {"change", "change", "of the time per call", 1, false, 0, cell_relative, NULL, NULL, NULL},
    {"a.call", "A/call", "exclusive time per call", 1, false, 0, cell_a_per_call, NULL, NULL, NULL},
    {"b.call", "B/call", "exclusive time per call", 1, false, 0, cell_b_per_call, NULL, NULL, NULL},
    {"share", "%", "share of the time of all captures", 1, false, 5, cell_share, NULL, NULL, NULL},
    {"p", "p", "of chance", 1, false, 9, cell_p, NULL, NULL, NULL},
    {"q", "q", "adjusted for the number of tests", 1, false, 3, cell_q, NULL, NULL, NULL},
    {"a.calls", "A calls", "calls", 1, false, 4, cell_count, key_a_calls, NULL, NULL},
    {"b.calls", "B calls", "calls", 1, false, 4, cell_count, key_b_calls, NULL, NULL},
    {"a.exclusive", "A exclusive", "exclusive time", 1, false, 6, cell_time, key_a_exclusive, NULL, NULL},
    {"b.exclusive", "B exclusive", "exclusive time", 1, false, 6, cell_time, key_b_exclusive, NULL, NULL},
    {"a.cpu", "A CPU", "exclusive time on a CPU", 1, false, 1, cell_time, key_a_cpu, NULL, by_wall},
    {"b.cpu", "B CPU", "exclusive time on a CPU", 1, false, 1, cell_time, key_b_cpu, NULL, by_wall},
    {"a.inclusive", "A inclusive", "inclusive time", 1, false, 7, cell_time, key_a_inclusive, NULL, NULL},
    {"b.inclusive", "B inclusive", "inclusive time", 1, false, 7, cell_time, key_b_inclusive, NULL, NULL},
    {"a.elapsed", "A elapsed", "elapsed time", 1, false, 8, cell_time, key_a_elapsed, NULL, no_waits},
    {"b.elapsed", "B elapsed", "elapsed time", 1, false, 8, cell_time, key_b_elapsed, NULL, no_waits},
    {"a.p50", "A p50", "median of the calls", 1, false, 11, cell_time, key_a_p50, NULL, NULL},
    {"b.p50", "B p50", "median of the calls", 1, false, 11, cell_time, key_b_p50, NULL, NULL},
    {"a.p95", "A p95", "95 % of the calls took at most this", 1, false, 12, cell_time, key_a_p95, NULL, NULL},
    {"b.p95", "B p95", "95 % of the calls took at most this", 1, false, 12, cell_time, key_b_p95, NULL, NULL},
    {"a.p99", "A p99", "99 % of the calls took at most this", 1, false, 10, cell_time, key_a_p99, NULL, NULL},
    {"b.p99", "B p99", "99 % of the calls took at most this", 1, false, 10, cell_time, key_b_p99, NULL, NULL},
    {"name", "name", "function or block", 1, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

/* ---- the table ---- */

static bool waits(const struct comparison *c, const struct change *f, enum side side)
{
    return comparison_function_median(c, f, side, QUANTITY_ELAPSED) != comparison_function_median(c, f, side, QUANTITY_INCLUSIVE);
}

static bool has_waits(const struct comparison *c)
{
    for (size_t i = 0; i < c->changes; i++)
        if (waits(c, &c->change[i], SIDE_A) || waits(c, &c->change[i], SIDE_B))
            return true;
    return false;
}

bool sides_print_functions(const struct sides *s, uint64_t limit, size_t width, FILE *out)
{
    struct table t;
    const struct comparison *c = &s->comparison;
    struct context context = {c, has_waits(c)};
    size_t shown = c->changes < limit ? c->changes : (size_t)limit;
    struct text_fold fold;
    sides_write_heading(s, text_fold_begin(&fold, width, out));
    text_fold_end(&fold);
    table_begin(&t, columns, 1, &context);
    for (size_t i = 0; i < shown; i++)
        table_add(&t, &c->change[i]);
    bool whole = table_finish(&t, out, width, out == stdout && terminal_styled());
    sides_write_summary(s, shown, text_fold_begin(&fold, width, out));
    text_fold_end(&fold);
    return whole;
}
