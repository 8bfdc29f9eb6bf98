#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "change_text.h"
#include "merged.h"
#include "names.h"
#include "sides.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

#define INDENT_MAX 40 /* levels; deeper ones say their depth in digits */

struct row {
    const struct path_change *path;
    unsigned depth;
};

#define ROW(pointer) ((const struct row *)(pointer))
#define COMPARISON(pointer) ((const struct comparison *)(pointer))

#define KEY(name, side, quantity) \
    static uint64_t key_##name(const void *row, const void *context) \
    { \
        return comparison_path_median(COMPARISON(context), ROW(row)->path, side, quantity); \
    }
KEY(a_calls, SIDE_A, QUANTITY_CALLS)
KEY(b_calls, SIDE_B, QUANTITY_CALLS)
KEY(a_exclusive, SIDE_A, QUANTITY_EXCLUSIVE)
KEY(b_exclusive, SIDE_B, QUANTITY_EXCLUSIVE)
KEY(a_cpu, SIDE_A, QUANTITY_CPU)
KEY(b_cpu, SIDE_B, QUANTITY_CPU)
KEY(a_inclusive, SIDE_A, QUANTITY_INCLUSIVE)
KEY(b_inclusive, SIDE_B, QUANTITY_INCLUSIVE)

static void cell_count(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    change_write_count(c->key(row, context), buffer, size);
}

static void cell_time(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    change_write_time(c->key(row, context), buffer, size);
}

static void cell_relative(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    uint64_t a = key_a_inclusive(row, context), b = key_b_inclusive(row, context);
    (void)c;
    change_write_relative(a == TALLY_UNKNOWN || b == TALLY_UNKNOWN ? NAN : a == b ? 0 : (double)b / (double)a - 1, buffer, size);
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    unsigned depth = ROW(row)->depth, indent = depth < INDENT_MAX ? depth : INDENT_MAX;
    uint32_t function = ROW(row)->path->function;
    int used = snprintf(buffer, size, "%*s", (int)indent * 2, "");
    (void)c;
    if (depth > INDENT_MAX)
        used += snprintf(buffer + used, size - (size_t)used, "[%u] ", depth);
    if (function == TALLY_OTHER)
        snprintf(buffer + used, size - (size_t)used, NAMES_OTHER_PATHS);
    else
        change_write_name(&COMPARISON(context)->change[function], buffer + used, size - (size_t)used);
}

static bool by_wall(const void *context) { return COMPARISON(context)->metric == QUANTITY_EXCLUSIVE; }

static const struct column columns[] = {
    {"change", "change", "of the inclusive time", 1, false, 0, cell_relative, NULL, NULL, NULL},
    {"a.calls", "A calls", "calls", 1, false, 4, cell_count, key_a_calls, NULL, NULL},
    {"b.calls", "B calls", "calls", 1, false, 3, cell_count, key_b_calls, NULL, NULL},
    {"a.inclusive", "A inclusive", "time on this path and below", 1, false, 0, cell_time, key_a_inclusive, NULL, NULL},
    {"b.inclusive", "B inclusive", "time on this path and below", 1, false, 0, cell_time, key_b_inclusive, NULL, NULL},
    {"a.exclusive", "A exclusive", "time on this path itself", 1, false, 5, cell_time, key_a_exclusive, NULL, NULL},
    {"b.exclusive", "B exclusive", "time on this path itself", 1, false, 5, cell_time, key_b_exclusive, NULL, NULL},
    {"a.cpu", "A CPU", "of that on a CPU", 1, false, 2, cell_time, key_a_cpu, NULL, by_wall},
    {"b.cpu", "B CPU", "of that on a CPU", 1, false, 2, cell_time, key_b_cpu, NULL, by_wall},
    {"name", "name", "function, below its caller", 1, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

static bool print_tree(const struct comparison *c, const struct profile *p, uint64_t limit, size_t width, FILE *out)
{
    struct table t;
    unsigned depth = 0;
    uint64_t left_out = 0;
    table_begin(&t, columns, 1, c);
    for (uint32_t i = p->thread[0].first_root; i; i = profile_next(p, i, &depth)) {
        struct row row = {merged_path(c, i), depth};
        if (t.rows < limit)
            table_add(&t, &row);
        else
            left_out++;
    }
    bool whole = table_finish(&t, out, width, out == stdout && terminal_styled());
    if (left_out)
        fprintf(out, "%" PRIu64 " more paths not shown (--limit)\n", left_out);
    return whole;
}

bool sides_print_tree(const struct sides *s, uint64_t limit, size_t width, FILE *out)
{
    struct merged m;
    bool whole = merged_make(&m, &s->comparison) == 0;
    struct text_fold fold;
    sides_write_heading(s, text_fold_begin(&fold, width, out));
    text_fold_end(&fold);
    whole = whole && print_tree(&s->comparison, &m.profile, limit, width, out);
    merged_free(&m);
    sides_write_summary(s, s->comparison.changes, text_fold_begin(&fold, width, out));
    text_fold_end(&fold);
    return whole;
}
