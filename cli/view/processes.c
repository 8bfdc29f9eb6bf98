#include "processes.h"

#include <inttypes.h>

#include "clock.h"
#include "json.h"
#include "process_tree.h"
#include "table.h"
#include "terminal.h"
#include "text.h"
#include "units.h"
#include "version.h"

#define INDENT_MAX 16 /* levels; deeper ones stand where these do */

struct row {
    const struct subject *subject;
    unsigned depth; /* in the tree */
};
#define ROW(pointer) (((const struct row *)(pointer))->subject)

static void cell_pid(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%d", (int)ROW(row)->pid);
}

static void cell_inner(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    if (ROW(row)->apart)
        snprintf(buffer, size, "%d", (int)ROW(row)->inner);
}

static void cell_user(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    units_write_user(buffer, size, ROW(row)->uid);
}

static void cell_python(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ROW(row)->error < 0 ? "-" : ROW(row)->header.python);
}

static void cell_state(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", subject_state(ROW(row)));
}

static void cell_functions(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%" PRIu32, ROW(row)->header.decorated);
}

static void cell_memory(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    units_write_bytes(buffer, size, ROW(row)->bytes);
}

/* Since the segment was made: since the process imported timestamp_capture. */
static void cell_age(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    uint64_t now = clock_ns(CLOCK_REALTIME), then = ROW(row)->header.anchor_realtime;
    (void)c, (void)context;
    units_write_time(buffer, size, ROW(row)->error == 0 && now > then ? now - then : 0);
}

static void cell_command(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    unsigned depth = ((const struct row *)row)->depth, indent = depth < INDENT_MAX ? depth : INDENT_MAX;
    if (depth)
        snprintf(buffer, size, "%*s\\_ %s", (int)(indent - 1) * 4 + 1, "", subject_name(ROW(row)));
    else
        snprintf(buffer, size, "%s", subject_name(ROW(row)));
}

/* Tables: the column of what is in a container is shown only if anything is. */
enum { HERE = 1, APART = 2, ALL = HERE | APART };

static const struct column columns[] = {
    {"pid", "pid", "process", ALL, false, 0, cell_pid, NULL, NULL, NULL},
    {"inner", "inner", "its number in its container", APART, false, 0, cell_inner, NULL, NULL, NULL},
    {"user", "user", "whose it is", ALL, true, 2, cell_user, NULL, NULL, NULL},
    {"python", "python", "version of CPython", ALL, true, 1, cell_python, NULL, NULL, NULL},
    {"state", "state", "recording, stopped, dormant or dead", ALL, true, 0, cell_state, NULL, NULL, NULL},
    {"functions", "functions", "decorated functions and blocks", ALL, false, 3, cell_functions, NULL, NULL, NULL},
    {"memory", "memory", "size of the segment", ALL, false, 5, cell_memory, NULL, NULL, NULL},
    {"age", "age", "since timestamp_capture was imported", ALL, false, 4, cell_age, NULL, NULL, NULL},
    {"command", "command", "command line", ALL, true, 0, cell_command, NULL, &text_fit_end, NULL},
    {0},
};

static bool is_listed(const struct subject *s, bool ended) { return s->alive || ended; }

/* Below the nearest ancestor that is listed. */
static unsigned listed_depth(const struct process_tree *tree, size_t i, bool ended)
{
    unsigned depth = 0;
    while ((i = tree->relative[i].parent) != PROCESS_TREE_NONE)
        depth += is_listed(tree->relative[i].subject, ended);
    return depth;
}

static void add_tree(struct table *t, const struct subjects *all, bool ended)
{
    struct process_tree tree;
    t->failed |= process_tree_make(&tree, all) < 0;
    for (size_t i = 0; i < tree.count; i++)
        if (is_listed(tree.relative[i].subject, ended))
            table_add(t, &(struct row){tree.relative[i].subject, listed_depth(&tree, i, ended)});
    process_tree_free(&tree);
}

static unsigned choose_table(const struct subjects *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].apart)
            return APART;
    return HERE;
}

bool processes_print(const struct subjects *all, bool ended, bool tree)
{
    struct table t;
    table_begin(&t, columns, choose_table(all), NULL);
    if (tree)
        add_tree(&t, all, ended);
    for (size_t i = 0; !tree && i < all->count; i++)
        if (is_listed(&all->subject[i], ended))
            table_add(&t, &(struct row){.subject = &all->subject[i]});
    return table_finish(&t, stdout, terminal_width(), terminal_styled());
}

static void write_lineage(struct json *j, const struct subject *s)
{
    json_array(j, "lineage");
    for (unsigned i = 0; i < SEGMENT_LINEAGE && s->header.lineage[i].pid; i++) {
        json_object(j, NULL);
        json_count(j, "pid", s->header.lineage[i].pid);
        json_count(j, "start_time", s->header.lineage[i].start_time);
        json_end(j);
    }
    json_end(j);
}

static void write_subject(struct json *j, const struct subject *s)
{
    json_object(j, NULL);
    json_count(j, "pid", (uint64_t)s->pid);
    json_bool(j, "container", s->apart);
    json_count(j, "inner_pid", (uint64_t)s->inner);
    json_count(j, "start_time", s->start_time);
    json_count(j, "uid", s->uid);
    json_string(j, "command", s->command[0] ? s->command : NULL);
    json_string(j, "state", subject_state(s));
    json_bool(j, "alive", s->alive);
    json_string(j, "segment", s->where);
    json_string(j, "python", s->error < 0 ? NULL : s->header.python);
    json_count(j, "parent_pid", s->header.parent_pid);
    write_lineage(j, s);
    json_count(j, "functions", s->header.decorated);
    json_count(j, "bytes", s->bytes);
    json_count(j, "lost", s->header.lost_calls);
    json_end(j);
}

bool processes_json(const struct subjects *all, bool ended, FILE *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.processes/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    json_array(&j, "processes");
    for (size_t i = 0; i < all->count; i++)
        if (is_listed(&all->subject[i], ended))
            write_subject(&j, &all->subject[i]);
    return json_finish(&j);
}

size_t processes_listed(const struct subjects *all, bool ended)
{
    size_t listed = 0;
    for (size_t i = 0; i < all->count; i++)
        listed += is_listed(&all->subject[i], ended);
    return listed;
}
