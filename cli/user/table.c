#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "text.h"

#define GAP 2

/* ---- columns ---- */

static const struct column *next_column(const struct column *c, unsigned table)
{
    while (c->name && !(c->tables & table))
        c++;
    return c->name ? c : NULL;
}

const struct column *column_find(const struct column *columns, unsigned table, const char *name)
{
    const struct column *c = next_column(columns, table);
    while (c && strcmp(c->name, name) != 0)
        c = next_column(c + 1, table);
    return c;
}

const struct column *column_at(const struct column *columns, unsigned table, size_t n)
{
    const struct column *c = next_column(columns, table);
    while (c && n--)
        c = next_column(c + 1, table);
    return c;
}

void column_list(const struct column *columns, unsigned table, FILE *out)
{
    for (const struct column *c = columns; (c = next_column(c, table)); c++)
        fprintf(out, "%-10s %s\n", c->name, c->help);
}

struct order {
    const struct column *column;
    const void *context;
};

static int compare_texts(const struct order *o, const void *a, const void *b)
{
    char x[TABLE_CELL], y[TABLE_CELL];
    o->column->cell(o->column, a, o->context, x, sizeof x);
    o->column->cell(o->column, b, o->context, y, sizeof y);
    return strcmp(x, y);
}

static int compare_keys(const struct order *o, const void *a, const void *b)
{
    uint64_t x = o->column->key(a, o->context), y = o->column->key(b, o->context);
    return (x < y) - (x > y);
}

static int compare_rows(const void *a, const void *b, void *order)
{
    const struct order *o = order;
    const void *x = *(const void *const *)a, *y = *(const void *const *)b;
    int r = o->column->key ? compare_keys(o, x, y) : compare_texts(o, x, y);
    return r ? r : (x > y) - (x < y);
}

void column_sort(const struct column *column, const void **rows, size_t count, const void *context)
{
    struct order order = {column, context};
    if (count)
        qsort_r(rows, count, sizeof *rows, compare_rows, &order);
}

/* ---- filling ---- */

void table_begin(struct table *t, const struct column *columns, unsigned table, const void *context)
{
    *t = (struct table){.context = context};
    for (const struct column *c = columns; (c = next_column(c, table)); c++)
        t->columns++;
    assert(t->columns <= TABLE_COLUMNS);
    t->column = calloc(t->columns, sizeof *t->column);
    t->width = calloc(t->columns, sizeof *t->width);
    t->failed = !t->column || !t->width;
    size_t i = 0;
    for (const struct column *c = columns; !t->failed && (c = next_column(c, table)); c++) {
        t->column[i] = c;
        t->width[i++] = text_width(c->header);
    }
}

void table_accustom(struct table *t, struct table_habit *habit)
{
    t->habit = t->failed ? NULL : habit;
    for (size_t i = 0; t->habit && i < t->columns; i++)
        if (habit->width[i] > t->width[i])
            t->width[i] = habit->width[i];
}

static bool reserve_row(struct table *t)
{
    char **cell = array_room(t->cell, t->rows, &t->room, t->columns * sizeof *cell);
    if (cell)
        t->cell = cell;
    return cell != NULL;
}

static char *make_cell(const struct table *t, size_t i, const void *row)
{
    char text[TABLE_CELL] = "";
    t->column[i]->cell(t->column[i], row, t->context, text, sizeof text);
    return strdup(text);
}

void table_add(struct table *t, const void *row)
{
    if (t->failed || !reserve_row(t)) {
        t->failed = true;
        return;
    }
    char **cell = t->cell + t->rows++ * t->columns;
    for (size_t i = 0; i < t->columns; i++) {
        cell[i] = make_cell(t, i, row);
        size_t width = cell[i] ? text_width(cell[i]) : 0;
        t->width[i] = width > t->width[i] ? width : t->width[i];
        t->failed |= !cell[i];
    }
}

/* ---- making it fit ---- */

#define LAST_LEAST 26 /* columns for the last one, below which others have to go */

/* What the columns before the last one take, gaps included. */
static size_t width_before_last(const struct table *t)
{
    size_t before = 0;
    for (size_t i = 0; i + 1 < t->columns; i++)
        before += t->column[i] ? t->width[i] + GAP : 0;
    return before;
}

static bool has_bit(uint32_t bits, size_t i) { return bits >> i & 1; }

static unsigned spare_rank(const struct table *t, size_t i)
{
    bool wanted = t->habit && has_bit(t->habit->wanted, i);
    return t->column[i] && !wanted ? t->column[i]->spare : 0;
}

/* Takes the most dispensable column out; false: each of those left stays. */
static bool spare_one(struct table *t)
{
    size_t worst = 0;
    for (size_t i = 1; i < t->columns; i++)
        if (spare_rank(t, i) > spare_rank(t, worst))
            worst = i;
    if (!spare_rank(t, worst))
        return false;
    t->column[worst] = NULL;
    return true;
}

static void hide(struct table *t, uint32_t hidden)
{
    for (size_t i = 0; i + 1 < t->columns; i++)
        if (has_bit(hidden, i))
            t->column[i] = NULL;
}

/* What is left for the last column; 0: no limit. */
static size_t fit(struct table *t, size_t width)
{
    while (width && width < width_before_last(t) + LAST_LEAST)
        if (!spare_one(t))
            return LAST_LEAST;
    return width ? width - width_before_last(t) : 0;
}

/* ---- printing ---- */

static void print_cell(const struct table *t, size_t i, const char *text, FILE *out)
{
    if (!t->column[i])
        return;
    size_t used = text_width(text), pad = t->width[i] > used ? t->width[i] - used : 0;
    bool last = i + 1 == t->columns, left = t->column[i]->left;
    fprintf(out, "%*s%s%*s", left ? 0 : (int)pad, "", text, left && !last ? (int)pad : 0, "");
    if (!last)
        fprintf(out, "%*s", GAP, "");
}

static void print_header(const struct table *t, FILE *out, bool styled)
{
    fputs(styled ? "\033[1m" : "", out);
    for (size_t i = 0; i < t->columns; i++)
        print_cell(t, i, t->column[i] ? t->column[i]->header : "", out);
    fputs(styled ? "\033[0m\n" : "\n", out);
}

static void print_row(const struct table *t, char **cell, size_t width, FILE *out)
{
    size_t last = t->columns - 1;
    if (width && t->column[last]->cut)
        t->column[last]->cut(cell[last], width);
    for (size_t i = 0; i < t->columns; i++)
        print_cell(t, i, cell[i], out);
    putc('\n', out);
}

/* ---- what its user keeps ---- */

static void note_mark(struct table_habit *h, const struct table *t)
{
    size_t at = 0;
    h->mark = h->mark_width = 0;
    for (size_t i = 0; i < t->columns; i++) {
        if (t->column[i] && t->column[i] == h->marked) {
            size_t width = text_width(h->marked->header);
            h->mark = h->marked->left ? at : at + t->width[i] - width;
            h->mark_width = width;
        }
        at += t->column[i] ? t->width[i] + GAP : 0;
    }
}

static void note_habit(struct table_habit *h, const struct table *t)
{
    h->shown = 0;
    for (size_t i = 0; i < t->columns; i++) {
        h->shown |= t->column[i] ? 1u << i : 0;
        h->width[i] = i + 1 < t->columns ? t->width[i] : 0; /* the last one takes what is left */
    }
    note_mark(h, t);
}

static void print_table(struct table *t, FILE *out, size_t width, bool styled)
{
    if (t->habit)
        hide(t, t->habit->hidden);
    width = fit(t, width);
    if (t->habit)
        note_habit(t->habit, t);
    print_header(t, out, styled);
    for (size_t i = 0; i < t->rows; i++)
        print_row(t, t->cell + i * t->columns, width, out);
}

bool table_finish(struct table *t, FILE *out, size_t width, bool styled)
{
    if (!t->failed)
        print_table(t, out, width, styled);
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cell[i]);
    free(t->cell);
    free(t->width);
    free(t->column);
    return !t->failed;
}
