#include "consumers.h"

#include <inttypes.h>
#include <stdio.h>

#include "cells.h"
#include "table.h"
#include "terminal.h"
#include "text.h"
#include "units.h"

/* ---- reading ---- */

struct reading {
    struct audiences *audiences;
    const struct view *view;
};

static int read_table(void *context)
{
    const struct reading *r = context;
    return audiences_copy(r->audiences, r->view->base, (uint32_t)(view_bytes_now(r->view) / SEGMENT_PAGE), 0);
}

int consumers_read(struct audiences *a, const struct view *v)
{
    *a = (struct audiences){.sites = 0};
    return view_guarded(v, read_table, &(struct reading){a, v});
}

/* By number, from *last = 0; as they are now, not what they were before their selection changed. NULL after the last. */
static const struct consumer *next_listed(const struct audiences *a, uint32_t *last)
{
    const struct consumer *next = NULL;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++) {
        const struct consumer *c = &a->consumer[i];
        if (c->number > *last && !(c->flags & CONSUMER_FORMER) && (!next || c->number < next->number))
            next = c;
    }
    *last = next ? next->number : *last;
    return next;
}

static const char *state_of(const struct consumer *c)
{
    return c->flags & CONSUMER_RUNNING ? "running" : c->began ? "ended" : "not begun";
}

static bool selects_all(const struct consumer *c) { return !(c->flags & CONSUMER_SELECTS); }

/* ---- the table ---- */

struct times {
    const struct clock_scale *scale;
    uint64_t now; /* ns; 0: not known */
};

#define ROW(pointer) ((const struct consumer *)(pointer))

static uint64_t key_number(const void *row, const void *context)
{
    (void)context;
    return ROW(row)->number;
}

static void cell_kind(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", consumer_kind_name(ROW(row)->kind));
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ROW(row)->name);
}

static void cell_state(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s%s", state_of(ROW(row)), ROW(row)->flags & CONSUMER_SUBPROCESSES ? ", children too" : "");
}

/* How long ago it was. */
static void write_age(const struct times *t, uint64_t when, char *buffer, size_t size)
{
    uint64_t then = clock_scale_instant(t->scale, when);
    if (when && t->now)
        units_write_time(buffer, size, t->now > then ? t->now - then : 0);
    else
        cell_unknown(buffer, size);
}

static void cell_since(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c;
    write_age(context, ROW(row)->flags & CONSUMER_RUNNING ? ROW(row)->began : ROW(row)->ended, buffer, size);
}

static void cell_cleared(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c;
    write_age(context, ROW(row)->zero, buffer, size);
}

static void cell_calls(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ROW(row)->flags & CONSUMER_SHORT ? "some missing" : "all");
}

static void cell_selects(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    const char *text = ROW(row)->selected;
    snprintf(buffer, size, "%s", text[0] ? text : selects_all(ROW(row)) ? "all" : "some");
}

static const struct column columns[] = {
    {.name = "consumer", .header = "consumer", .help = "its number", .tables = 1, .cell = cell_count, .key = key_number},
    {.name = "kind", .header = "kind", .help = "who wants records", .tables = 1, .left = true, .cell = cell_kind},
    {.name = "name", .header = "name", .help = "what it is called", .tables = 1, .left = true, .cell = cell_name},
    {.name = "state", .header = "state", .help = "running or ended", .tables = 1, .left = true, .cell = cell_state},
    {.name = "since", .header = "since", .help = "for how long", .tables = 1, .spare = 2, .cell = cell_since},
    {.name = "cleared", .header = "cleared", .help = "how long ago it was cleared", .tables = 1, .spare = 3, .cell = cell_cleared},
    {.name = "calls", .header = "calls", .help = "whether some are missing", .tables = 1, .left = true, .spare = 1, .cell = cell_calls},
    {.name = "selects", .header = "selects", .help = "functions whose calls it wants", .tables = 1, .left = true, .cell = cell_selects,
     .fit = &text_fit_end},
    {0},
};

bool consumers_print(const struct audiences *a, const struct clock_scale *scale, uint64_t now_ns)
{
    struct table t;
    uint32_t last = 0;
    const struct times times = {scale, now_ns};
    const struct consumer *c = next_listed(a, &last);
    if (!c)
        return true;
    table_begin(&t, columns, 1, &times);
    for (; c; c = next_listed(a, &last))
        table_add(&t, c);
    return table_finish(&t, stdout, terminal_width(), terminal_styled());
}

/* ---- JSON ---- */

static void write_instant(struct json *j, const char *key, const struct clock_scale *scale, uint64_t ticks)
{
    if (ticks)
        json_count(j, key, clock_scale_instant(scale, ticks));
    else
        json_null(j, key);
}

void consumer_json(struct json *j, const struct consumer *c, const struct clock_scale *scale)
{
    json_count(j, "number", c->number);
    json_string(j, "kind", consumer_kind_name(c->kind));
    json_string(j, "name", c->name);
    json_bool(j, "running", c->flags & CONSUMER_RUNNING);
    json_bool(j, "subprocesses", c->flags & CONSUMER_SUBPROCESSES);
    write_instant(j, "began_ns", scale, c->began);
    write_instant(j, "ended_ns", scale, c->ended);
    write_instant(j, "zero_ns", scale, c->zero);
    json_bool(j, "selects_all", selects_all(c));
    json_string(j, "selects", c->selected);
    json_bool(j, "short", c->flags & CONSUMER_SHORT);
}

void consumers_json(struct json *j, const char *key, const struct audiences *a, const struct clock_scale *scale)
{
    uint32_t last = 0;
    json_array(j, key);
    for (const struct consumer *c; (c = next_listed(a, &last));) {
        json_object(j, NULL);
        consumer_json(j, c, scale);
        json_end(j);
    }
    json_end(j);
}
