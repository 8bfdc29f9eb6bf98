#include "page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "losses.h"
#include "process.h"
#include "report.h"
#include "saturate.h"
#include "text.h"
#include "units.h"

#define HEAD_LINE 1400 /* bytes; a command line is the longest */
#define HEAD_LINES 32
#define FOOT_FROM 8 /* lines a screen must have for a last line with keys */

/* ---- lines ---- */

static void add_line(struct page *page, enum page_style style, const char *text)
{
    if (page->lines == page->height)
        return;
    char *copy = strdup(text);
    if (!copy) {
        page->failed = true;
        return;
    }
    process_printable(copy); /* whatever came in, nothing but text goes to the terminal */
    copy[text_prefix(copy, page->width)] = '\0';
    page->line[page->lines++] = (struct page_line){.text = copy, .style = style};
}

/* ---- the head: what matters least goes first where lines are few ---- */

enum rank { RANK_NOTICE, RANK_LOSS, RANK_COMMAND, RANK_ITEM, RANK_STATUS };

struct head_line {
    char text[HEAD_LINE];
    enum rank rank;
};

struct head {
    struct head_line line[HEAD_LINES];
    size_t lines;
};

__attribute__((format(printf, 3, 4))) static void head_add(struct head *h, enum rank rank, const char *format, ...)
{
    va_list arguments;
    if (h->lines == HEAD_LINES)
        return;
    struct head_line *line = &h->line[h->lines++];
    line->rank = rank;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}

/* On the last line, if it fits there, else on one of its own. */
static void head_add_item(struct head *h, const char *item, size_t width)
{
    struct head_line *last = h->lines ? &h->line[h->lines - 1] : NULL;
    if (last && last->rank == RANK_ITEM && text_width(last->text) + 2 + text_width(item) <= width) {
        size_t used = strlen(last->text);
        snprintf(last->text + used, sizeof last->text - used, ", %s", item);
    } else
        head_add(h, RANK_ITEM, "%s", item);
}

static void add_items(struct head *h, const struct picture *p, size_t width)
{
    char text[REPORT_ITEM];
    struct moment m = {.f = &p->functions, .now = &p->now->capture, .before = picture_earlier(p), .state = p->state};
    for (size_t i = 0; i < report_item_count; i++) {
        report_items[i](&m, text, sizeof text);
        if (text[0])
            head_add_item(h, text, width);
    }
}

static void add_losses(struct head *h, const struct profile *p)
{
    char text[REPORT_ITEM];
    for (size_t i = 0; i < loss_count; i++) {
        report_write_loss(&losses[i], p, text, sizeof text);
        if (text[0])
            head_add(h, RANK_LOSS, "%s", text);
    }
    if (!p->complete)
        head_add(h, RANK_LOSS, "not complete: some thread's or process' data could not be read this time");
}

/* "last 1.00 s by exclusive; 3 with 'x' of 12 functions, from number 5; paused" */
static void write_status(struct head_line *line, const struct picture *p)
{
    char span[UNITS_TEXT], filter[PICTURE_FILTER + 32] = "", place[64] = "";
    const char *thing = p->list == PICTURE_THREADS ? "thread" : "function";
    units_write_time(span, sizeof span, saturated(p->functions.seconds * 1e9));
    if (p->filter[0])
        snprintf(filter, sizeof filter, "%zu with '%s' of ", p->rows, p->filter);
    if (p->first)
        snprintf(place, sizeof place, ", from number %zu", p->first + 1);
    snprintf(line->text, sizeof line->text, "%s %s%s by %s; %s%zu %s%s%s%s", p->total ? "all" : "last", span,
             p->total && p->baseline ? " since r" : "", p->sort[p->list]->header, filter, p->all, thing,
             p->all == 1 ? "" : "s", place, p->paused ? "; paused" : "");
}

static void make_head(struct head *h, const struct picture *p, size_t width)
{
    h->lines = 0;
    const struct capture *now = &p->now->capture;
    char whose[REPORT_ITEM];
    report_write_whose(now, whose, sizeof whose);
    head_add(h, RANK_COMMAND, "%s %s", whose, subject_name(now->subject));
    add_items(h, p, width);
    add_losses(h, &now->profile);
    head_add(h, RANK_STATUS, "%s", ""); /* written when it is known where the list is scrolled to */
    if (p->notice[0])
        head_add(h, RANK_NOTICE, "%s", p->notice);
}

/* Drops the last of those that matter least. */
static void shorten_head(struct head *h)
{
    size_t worst = 0;
    for (size_t i = 1; i < h->lines; i++)
        if (h->line[i].rank >= h->line[worst].rank)
            worst = i;
    memmove(&h->line[worst], &h->line[worst + 1], (--h->lines - worst) * sizeof *h->line);
}

/* Leaves two lines, for the columns' names and a row. */
static void fit_head(struct head *h, size_t room)
{
    while (h->lines > (room > 2 ? room - 2 : 0))
        shorten_head(h);
}

static void add_head(struct page *page, struct head *h, const struct picture *p)
{
    for (size_t i = 0; i < h->lines; i++) {
        struct head_line *line = &h->line[i];
        if (line->rank == RANK_STATUS)
            write_status(line, p);
        add_line(page, line->rank <= RANK_LOSS ? PAGE_STRONG : PAGE_PLAIN, line->text);
    }
}

/* ---- the table ---- */

/* The first line of a table has the columns' names. */
static void add_table_lines(struct page *page, char *text, const struct table_habit *habit)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest), *begin = line; line; line = strtok_r(NULL, "\n", &rest)) {
        char padded[TABLE_CELL];
        bool header = line == begin;
        snprintf(padded, sizeof padded, "%-*s", header ? (int)page->width : 0, line);
        add_line(page, header ? PAGE_REVERSE : PAGE_PLAIN, padded);
        if (header && page->lines && habit->mark < page->width) {
            page->line[page->lines - 1].mark = habit->mark;
            page->line[page->lines - 1].mark_width = habit->mark_width;
        }
    }
}

static bool print_rows(struct page *page, struct picture *p, size_t room, FILE *out)
{
    struct table t;
    unsigned table;
    const struct column *columns = picture_columns(p, &table);
    struct table_habit *habit = &p->habit[p->list];
    habit->marked = p->sort[p->list];
    table_begin(&t, columns, table, picture_context(p));
    table_accustom(&t, habit);
    for (size_t i = 0; i < room && p->first + i < p->rows; i++)
        table_add(&t, p->row[p->first + i]);
    return table_finish(&t, out, page->width, false);
}

static void add_table(struct page *page, struct picture *p, size_t room)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = room ? open_memstream(&text, &bytes) : NULL;
    bool whole = out && print_rows(page, p, room - 1, out);
    if (out && fclose(out) == 0 && whole)
        add_table_lines(page, text, &p->habit[p->list]);
    page->failed |= room && !whole;
    free(text);
}

/* ---- the last line ---- */

static void fill_to(struct page *page, size_t lines)
{
    while (page->lines < lines && !page->failed)
        add_line(page, PAGE_PLAIN, "");
}

/* Of a long filter its end, where typing goes on. */
static void add_prompt(struct page *page, const struct picture *p)
{
    char line[PICTURE_FILTER + 2];
    const char *filter = p->filter;
    while (*filter && text_width(filter) + 2 > page->width)
        do
            filter++;
        while (((unsigned char)*filter & 0xc0) == 0x80);
    snprintf(line, sizeof line, "/%s", filter);
    add_line(page, PAGE_STRONG, line);
    page->typing = page->lines > 0;
}

static void add_foot(struct page *page, const struct picture *p)
{
    fill_to(page, page->height - 1);
    if (p->typing)
        add_prompt(page, p);
    else
        add_line(page, PAGE_FAINT, "q quit  ? help  s/S sort  1-9, 0 columns  / filter  t threads  a total  r from now  p pause");
}

/* ---- pages ---- */

static void add_key(struct head *h, const struct key_row *row) { head_add(h, RANK_ITEM, "%-11s %s", row->name, row->help); }

static void add_column(struct head *h, size_t i, const struct column *c)
{
    char key[16] = "";
    if (i < 10)
        snprintf(key, sizeof key, "%zu", (i + 1) % 10);
    head_add(h, RANK_ITEM, "%2s %-9s %s", key, c->header, c->help);
}

static void make_help(struct page *page, struct picture *p)
{
    struct head *h = calloc(1, sizeof *h);
    unsigned table;
    const struct column *columns = picture_columns(p, &table), *c;
    page->failed = !h;
    for (size_t i = 0; h && i < key_count; i++)
        add_key(h, &keys[i]);
    if (h)
        head_add(h, RANK_ITEM, "Columns:");
    for (size_t i = 0; h && (c = column_at(columns, table, i)); i++)
        add_column(h, i, c);
    picture_clamp(p, h ? h->lines : 0, page->height);
    for (size_t i = p->first; h && i < h->lines; i++)
        add_line(page, PAGE_PLAIN, h->line[i].text);
    free(h);
}

static void make_table(struct page *page, struct picture *p)
{
    struct head *h = malloc(sizeof *h);
    bool foot = page->height >= FOOT_FROM || (p->typing && page->height > 1);
    size_t room = page->height - foot;
    if (!h) {
        page->failed = true;
        return;
    }
    make_head(h, p, page->width);
    fit_head(h, room);
    picture_clamp(p, p->rows, room > h->lines ? room - h->lines - 1 : 0);
    add_head(page, h, p);
    add_table(page, p, room - page->lines);
    if (foot)
        add_foot(page, p);
    free(h);
}

int page_make(struct page *page, struct picture *p, size_t height, size_t width)
{
    *page = (struct page){.height = height, .width = width};
    page->line = calloc(height + 1, sizeof *page->line);
    if (!page->line || picture_make(p) < 0)
        return -ENOMEM;
    if (p->help)
        make_help(page, p);
    else if (p->now)
        make_table(page, p);
    return page->failed ? -ENOMEM : 0;
}

void page_free(struct page *page)
{
    for (size_t i = 0; i < page->lines; i++)
        free(page->line[i].text);
    free(page->line);
    *page = (struct page){0};
}
