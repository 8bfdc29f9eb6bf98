#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "message.h"
#include "process.h"

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

/* The next of "calls,name"; its length, which may be 0. NULL: there are no more. */
static const char *next_name(const char **rest, size_t *length)
{
    const char *name = *rest;
    if (!name)
        return NULL;
    *length = strcspn(name, ",");
    *rest = name[*length] ? name + *length + 1 : NULL;
    return name;
}

static const struct column *find_named(const struct column *columns, unsigned table, const char *name, size_t length)
{
    const struct column *c = next_column(columns, table);
    while (c && (strncmp(c->name, name, length) != 0 || c->name[length]))
        c = next_column(c + 1, table);
    return c;
}

static void write_names(const struct column *columns, unsigned table, char *buffer, size_t size)
{
    size_t used = 0;
    for (const struct column *c = columns; (c = next_column(c, table)) && used < size; c++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? "," : "", c->name);
}

const struct column *column_sorting(const struct column *columns, unsigned table, const char *name, const char *otherwise, const char *command,
                                    int *code)
{
    const struct column *c = column_find(columns, table, name ? name : otherwise);
    *code = EXIT_OK;
    if (name && strcmp(name, "help") == 0)
        column_list(columns, table, stdout);
    else if (!c)
        *code = fail(EXIT_USAGE,
                     "--sort: there is no column '%s'\n"
                     "the columns are those of the table\n"
                     "tscap %s --sort help",
                     name, command);
    return c;
}

int column_check(const struct column *columns, unsigned table, const char *names, const char *command)
{
    size_t length;
    char all[512] = "";
    for (const char *rest = names, *name; (name = next_name(&rest, &length));)
        if (!find_named(columns, table, name, length)) {
            write_names(columns, table, all, sizeof all);
            return fail(EXIT_USAGE,
                        "%s: --columns: there is no column '%.*s'\n"
                        "this table has %s\n"
                        "tscap %s --columns help",
                        command, (int)(length < 64 ? length : 64), name, all, command);
        }
    return EXIT_OK;
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

void table_keep(struct table *t, const struct column *column) { t->kept = column; }

static bool has_column(const struct table *t, const struct column *c)
{
    for (size_t i = 0; i < t->columns; i++)
        if (t->column[i] == c)
            return true;
    return false;
}

void table_choose(struct table *t, const char *names)
{
    size_t length, all = t->columns;
    if (t->failed || !names)
        return;
    const struct column *const *there = memcpy((const struct column *[TABLE_COLUMNS]){0}, t->column, all * sizeof *there);
    t->chosen = true;
    t->columns = 0;
    for (const char *name; (name = next_name(&names, &length));)
        for (size_t i = 0; i + 1 < all; i++)
            if (strncmp(there[i]->name, name, length) == 0 && !there[i]->name[length] && !has_column(t, there[i]))
                t->column[t->columns++] = there[i];
    t->column[t->columns++] = there[all - 1];
    for (size_t i = 0; i < t->columns; i++)
        t->width[i] = text_width(t->column[i]->header);
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
    process_printable(text);
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

#define LAST_LEAST 26   /* columns for the last one, below which others have to go */
#define LAST_MOST_CUT 8 /* that it has in any case */

/* What the columns before the last one take, gaps included. */
static size_t width_before_last(const struct table *t)
{
    size_t before = 0;
    for (size_t i = 0; i + 1 < t->columns; i++)
        before += t->column[i] ? t->width[i] + GAP : 0;
    return before;
}

static bool has_bit(uint32_t bits, size_t i) { return bits >> i & 1; }

/* By its user, by what rows are sorted by, or by name. */
static bool is_wanted(const struct table *t, size_t i)
{
    const struct column *c = t->column[i];
    return t->chosen || c == t->kept || (t->habit && (c == t->habit->marked || has_bit(t->habit->wanted, i)));
}

static unsigned spare_rank(const struct table *t, size_t i)
{
    return t->column[i] && !is_wanted(t, i) ? t->column[i]->spare : 0;
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

static void hide_idle(struct table *t)
{
    for (size_t i = 0; i + 1 < t->columns; i++)
        if (t->column[i] && t->column[i]->idle && !is_wanted(t, i) && t->column[i]->idle(t->context))
            t->column[i] = NULL;
}

/* What the last column should have: what its widest text needs, but a few long ones do not drive others out. */
static size_t least_for_last(struct table *t, size_t width)
{
    size_t last = t->columns - 1, least = t->habit ? t->habit->least : 0;
    const struct text_fit *f = t->column[last]->fit;
    for (size_t row = 0; f && f->least && row < t->rows; row++) {
        size_t needed = f->least(t->cell[row * t->columns + last]);
        least = needed > least ? needed : least;
    }
    if (t->habit)
        t->habit->least = least;
    least = least < width / 5 * 3 ? least : width / 5 * 3;
    return least > LAST_LEAST ? least : LAST_LEAST;
}

/* What is left for the last column; 0: no limit. */
static size_t fit(struct table *t, size_t width)
{
    size_t least = width ? least_for_last(t, width) : 0;
    while (width && width < width_before_last(t) + least && spare_one(t))
        ;
    size_t before = width_before_last(t);
    return !width ? 0 : width > before + LAST_MOST_CUT ? width - before : LAST_MOST_CUT;
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
    if (width && t->column[last]->fit)
        t->column[last]->fit->cut(cell[last], width);
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
    hide_idle(t);
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
