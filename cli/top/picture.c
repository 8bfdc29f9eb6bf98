#include "picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- looks ---- */

static struct look *look_new(struct capture *taken)
{
    struct look *l = malloc(sizeof *l);
    if (l)
        *l = (struct look){.capture = *taken};
    else
        capture_free(taken);
    return l;
}

static void look_drop(struct look *l)
{
    if (!l || --l->users)
        return;
    capture_free(&l->capture);
    free(l);
}

static void look_set(struct look **place, struct look *l)
{
    if (l)
        l->users++;
    look_drop(*place);
    *place = l;
}

/* The interval begins at the previous look, unless that one lacks what an earlier one has. */
static void begin_interval(struct picture *p)
{
    if (!p->before || capture_replaces(&p->now->capture, &p->before->capture))
        look_set(&p->before, p->now);
}

static void forget_rows(struct picture *p)
{
    functions_free(&p->functions);
    threads_free(&p->threads);
    free(p->row);
    p->row = NULL;
    p->rows = p->all = 0;
    p->made = false;
}

int picture_add(struct picture *p, struct capture *taken)
{
    struct look *l = look_new(taken);
    if (!l)
        return -ENOMEM;
    forget_rows(p); /* they point into looks that may go */
    if (p->now)
        begin_interval(p);
    look_set(&p->now, l);
    if (!p->before || p->rebase)
        look_set(&p->before, l);
    if (p->rebase)
        look_set(&p->baseline, l);
    p->rebase = false;
    return 0;
}

const struct capture *picture_earlier(const struct picture *p)
{
    const struct look *l = p->total ? p->baseline : p->before;
    return l ? &l->capture : NULL;
}

/* ---- the list ---- */

const struct column *picture_columns(const struct picture *p, unsigned *table)
{
    if (p->list == PICTURE_FUNCTIONS)
        *table = p->whole_tree ? FUNCTIONS_TOP_FAMILY : FUNCTIONS_TOP;
    else
        *table = p->whole_tree ? THREADS_FAMILY : THREADS;
    return p->list == PICTURE_FUNCTIONS ? function_columns : thread_columns;
}

const void *picture_context(const struct picture *p)
{
    return p->list == PICTURE_FUNCTIONS ? (const void *)&p->functions : &p->threads;
}

static const void *row_at(const struct picture *p, size_t i)
{
    return p->list == PICTURE_FUNCTIONS ? (const void *)&p->functions.row[i] : &p->threads.row[i];
}

/* What it is called, without file and line. */
static const char *name_of(const struct picture *p, const void *row)
{
    if (p->list == PICTURE_FUNCTIONS)
        return ((const struct function_row *)row)->label;
    return thread_name(((const struct thread_row *)row)->thread);
}

static bool fits_filter(const struct picture *p, const void *row)
{
    return !p->filter[0] || strcasestr(name_of(p, row), p->filter);
}

static int list_rows(struct picture *p)
{
    p->all = p->list == PICTURE_FUNCTIONS ? p->functions.count : p->threads.count;
    p->row = calloc(p->all + 1, sizeof *p->row);
    if (!p->row)
        return -ENOMEM;
    for (size_t i = 0; i < p->all; i++)
        if (fits_filter(p, row_at(p, i)))
            p->row[p->rows++] = row_at(p, i);
    column_sort(p->sort[p->list], p->row, p->rows, picture_context(p));
    return 0;
}

int picture_make(struct picture *p)
{
    if (p->made)
        return 0;
    forget_rows(p);
    if (!p->now)
        return 0;
    const struct capture *now = &p->now->capture, *earlier = picture_earlier(p);
    int r = functions_make(&p->functions, now, earlier); /* the heading speaks of them in any case */
    if (r == 0 && p->list == PICTURE_THREADS)
        r = threads_make(&p->threads, now, earlier);
    if (r == 0)
        r = list_rows(p);
    p->made = r == 0;
    return r;
}

void picture_clamp(struct picture *p, size_t count, size_t page)
{
    size_t most = count > page ? count - page : 0;
    p->page = page;
    p->first = p->first < most ? p->first : most;
}

/* ---- beginning and end ---- */

void picture_init(struct picture *p, const struct column *sort)
{
    *p = (struct picture){.page = 1};
    p->sort[PICTURE_FUNCTIONS] = sort;
    p->sort[PICTURE_THREADS] = column_find(thread_columns, THREADS, "time");
}

void picture_free(struct picture *p)
{
    forget_rows(p);
    look_set(&p->now, NULL);
    look_set(&p->before, NULL);
    look_set(&p->baseline, NULL);
}
