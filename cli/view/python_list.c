#include "python_list.h"

#include "json.h"
#include "table.h"
#include "target.h"
#include "terminal.h"
#include "text.h"
#include "units.h"
#include "version.h"

#define ROW(pointer) ((const struct python_process *)(pointer))

static void write_version(const struct python_process *p, char *buffer, size_t size)
{
    const struct target t = {.version = p->version};
    target_version(&t, buffer, size);
}

static void cell_pid(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%d", (int)ROW(row)->pid);
}

static void cell_user(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    units_write_user(buffer, size, ROW(row)->uid);
}

static void cell_python(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    write_version(ROW(row), buffer, size);
    if (!buffer[0])
        snprintf(buffer, size, "-");
}

static void cell_prepared(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ROW(row)->loaded ? "yes" : "no");
}

static void cell_command(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ROW(row)->command);
}

static const struct column columns[] = {
    {"pid", "pid", "process", 1, false, 0, cell_pid, NULL, NULL, NULL},
    {"user", "user", "whose it is", 1, true, 2, cell_user, NULL, NULL, NULL},
    {"python", "python", "version of CPython", 1, true, 1, cell_python, NULL, NULL, NULL},
    {"prepared", "prepared", "has it loaded timestamp_capture?", 1, true, 0, cell_prepared, NULL, NULL, NULL},
    {"command", "command", "command line", 1, true, 0, cell_command, NULL, &text_fit_end, NULL},
    {0},
};

bool python_list_print(const struct pythons *p)
{
    struct table t;
    table_begin(&t, columns, 1, NULL);
    for (size_t i = 0; i < p->count; i++)
        table_add(&t, &p->process[i]);
    return table_finish(&t, stdout, terminal_width(), terminal_styled());
}

static void write_process(struct json *j, const struct python_process *p)
{
    char version[32];
    write_version(p, version, sizeof version);
    json_object(j, NULL);
    json_count(j, "pid", (uint64_t)p->pid);
    json_count(j, "parent_pid", (uint64_t)p->parent);
    json_count(j, "start_time", p->start_time);
    json_count(j, "uid", p->uid);
    json_string(j, "python", version[0] ? version : NULL);
    json_bool(j, "prepared", p->loaded);
    json_string(j, "command", p->command);
    json_end(j);
}

bool python_list_json(const struct pythons *p, FILE *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.pythons/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    json_array(&j, "processes");
    for (size_t i = 0; i < p->count; i++)
        write_process(&j, &p->process[i]);
    return json_finish(&j);
}
