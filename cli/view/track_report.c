#include "track_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "json.h"
#include "table.h"
#include "terminal.h"
#include "text.h"
#include "version.h"

#define LINE(pointer) ((const struct track_line *)(pointer))

/* ---- the table ---- */

static uint64_t key_profiler(const void *row, const void *context)
{
    (void)context;
    return LINE(row)->profiler->number;
}

static void cell_profiler(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", LINE(row)->profiler->name);
}

/* What keeps it from recording. */
static void cell_state(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    uint32_t flags = LINE(row)->profiler->flags;
    bool started = flags & CONSUMER_STARTED, everybody = flags & CONSUMER_GLOBAL;
    (void)c, (void)context;
    snprintf(buffer, size, "%s%s%s", started ? "" : "stopped", started || everybody ? "" : ", ", !everybody ? "all off" : started ? "on" : "");
}

static void cell_track(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", LINE(row)->track ? LINE(row)->id : "-");
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", LINE(row)->track ? LINE(row)->name : "");
}

static void cell_switch(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", !LINE(row)->track ? "-" : LINE(row)->enabled ? "on" : "off");
}

static void cell_hits(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    if (LINE(row)->place)
        snprintf(buffer, size, "%" PRIu64, LINE(row)->hits);
    else
        cell_unknown(buffer, size);
}

static void cell_place(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    const struct track_line *l = LINE(row);
    snprintf(buffer, size, l->place ? "%s (%s:%" PRIu32 ")" : "-", l->place, l->file, l->line);
}

static const struct column columns[] = {
    {.name = "number", .header = "number", .help = "the profiler's", .tables = 1, .cell = cell_count, .key = key_profiler},
    {.name = "profiler", .header = "profiler", .help = "its name", .tables = 1, .left = true, .cell = cell_profiler},
    {.name = "state", .header = "state", .help = "its switches", .tables = 1, .left = true, .cell = cell_state},
    {.name = "track", .header = "track", .help = "its id", .tables = 1, .left = true, .cell = cell_track},
    {.name = "name", .header = "name", .help = "what it is called in results", .tables = 1, .left = true, .spare = 1, .cell = cell_name},
    {.name = "switch", .header = "switch", .help = "the track's", .tables = 1, .left = true, .cell = cell_switch},
    {.name = "hits", .header = "hits", .help = "calls that have ended", .tables = 1, .cell = cell_hits},
    {.name = "block", .header = "block", .help = "function or block, and where it is", .tables = 1, .left = true, .cell = cell_place,
     .fit = &text_fit_path},
    {0},
};

bool track_report_print(const struct track_report *r)
{
    struct table t;
    if (!r->list.count)
        return true;
    table_begin(&t, columns, 1, r);
    for (size_t i = 0; i < r->list.count; i++)
        table_add(&t, &r->list.line[i]);
    return table_finish(&t, stdout, terminal_width(), terminal_styled());
}

/* ---- JSON ---- */

#define DIGITS 19 /* that certainly fit into 64 bits */

static void write_id(struct json *j, const struct track_line *l)
{
    if (!l->word && l->id[0] && strlen(l->id) <= DIGITS && strspn(l->id, "0123456789") == strlen(l->id))
        json_count(j, "id", strtoull(l->id, NULL, 10));
    else
        json_string(j, "id", l->id);
}

static void write_place(struct json *j, const struct track_line *l)
{
    json_object(j, NULL);
    json_string(j, "name", l->place);
    json_string(j, "kind", l->kind == SITE_BLOCK ? "block" : "function");
    json_string(j, "file", l->file);
    json_count(j, "line", l->line);
    json_count(j, "hits", l->hits);
    json_end(j);
}

/* The lines of one track; returns where the next begins. */
static size_t write_track(struct json *j, const struct track_list *list, size_t i)
{
    const struct track_line *first = &list->line[i];
    json_object(j, NULL);
    write_id(j, first);
    json_string(j, "name", first->name[0] ? first->name : NULL);
    json_bool(j, "enabled", first->enabled);
    json_array(j, "blocks");
    for (; i < list->count && track_list_same_track(first, &list->line[i]); i++)
        if (list->line[i].place)
            write_place(j, &list->line[i]);
    json_end(j);
    json_end(j);
    return i;
}

static size_t write_profiler(struct json *j, const struct track_list *list, size_t i)
{
    const struct track_line *first = &list->line[i];
    const struct consumer *c = first->profiler;
    json_object(j, NULL);
    json_count(j, "number", c->number);
    json_string(j, "name", c->name);
    json_bool(j, "started", c->flags & CONSUMER_STARTED);
    json_bool(j, "global", c->flags & CONSUMER_GLOBAL);
    json_array(j, "tracks");
    while (i < list->count && track_list_same_profiler(first, &list->line[i]))
        i = list->line[i].track ? write_track(j, list, i) : i + 1;
    json_end(j);
    json_end(j);
    return i;
}

bool track_report_json(const struct track_report *r, FILE *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.tracks/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    json_count(&j, "pid", (uint64_t)r->subject->pid);
    json_string(&j, "command", r->subject->command[0] ? r->subject->command : NULL);
    json_bool(&j, "alive", r->subject->alive);
    json_array(&j, "profilers");
    for (size_t i = 0; i < r->list.count;)
        i = write_profiler(&j, &r->list, i);
    return json_finish(&j);
}
