#include "stack_report.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "process.h"
#include "units.h"
#include "version.h"

#define COMMAND_MAX 1024

static void write_version(const struct stacks *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%u.%u.%u", s->version >> 24, s->version >> 16 & 0xff, s->version >> 8 & 0xff);
}

/* Names are what a file of another says. */
static void write_name(char *buffer, size_t size, const char *name)
{
    snprintf(buffer, size, "%s", name);
    process_printable(buffer);
}

static const struct python_code *code_of(const struct stacks *s, const struct python_frame *f) { return &s->python.codes[f->code]; }

static bool is_torn(const struct stacks_thread *t) { return t->python && (t->python->cut || !t->python->consistent); }

static bool is_partial(const struct stacks_thread *t) { return t->native && (!t->native->stopped || !t->native->whole); }

/* ---- text ---- */

static void print_frame(const struct stacks *s, const struct stacks_frame *f)
{
    char name[512];
    if (f->python) {
        const struct python_code *c = code_of(s, f->python);
        printf("    %s (%s:%d)\n", c->function, c->file, f->python->line);
        return;
    }
    const struct native_frame *n = f->native;
    const char *file = n->image ? image_name(n->image) : "?";
    if (n->symbol) {
        write_name(name, sizeof name, n->symbol->name);
        printf("  . %s+0x%" PRIx64, name, n->pc - n->symbol->address);
    } else
        printf("  . 0x%" PRIx64, n->image ? n->pc - n->image->bias : n->pc);
    write_name(name, sizeof name, file);
    printf(" (%s)\n", name);
}

static void print_heading(const struct stacks *s, const struct stacks_thread *t)
{
    printf("\nthread ");
    if (t->tid)
        printf("%d", (int)t->tid);
    else
        printf("?");
    printf("%s%s%s", t->name[0] ? " " : "", t->name, t->python && t->python->holds_gil ? ", holds the GIL" : "");
    if (t->python && t->python->interpreter > 0)
        printf(", interpreter %" PRId64, t->python->interpreter);
    if (is_torn(t))
        printf(", changed while it was read");
    if (s->with_native && t->tid && is_partial(t))
        printf(t->native->stopped ? ", not unwound to its end" : ", could not be stopped");
    if (s->with_native && !t->matched)
        printf(", Python and native frames do not match");
    putchar('\n');
}

void stack_report_print(const struct stack_report *r)
{
    const struct stacks *s = r->stacks;
    char command[COMMAND_MAX] = "", version[32], pause[UNITS_TEXT];
    process_command(r->pid, command, sizeof command);
    write_version(s, version, sizeof version);
    printf("process %d: %s\nPython %s, %zu thread%s", (int)r->pid, command, version, s->threads, s->threads == 1 ? "" : "s");
    if (s->with_native) {
        units_write_time(pause, sizeof pause, s->native.pause_us * 1000);
        printf(", stopped for %s\n", pause);
    } else
        printf(", read while they ran\n");
    for (size_t i = 0; i < s->threads; i++) {
        const struct stacks_thread *t = &s->thread[i];
        print_heading(s, t);
        for (size_t k = 0; k < t->frames; k++)
            print_frame(s, &t->frame[k]);
        if (t->frames == 0)
            puts("    (no frames)");
    }
}

/* ---- JSON ---- */

static void write_python(struct json *j, const struct stacks *s, const struct python_frame *f)
{
    const struct python_code *c = code_of(s, f);
    json_string(j, "kind", "python");
    json_string(j, "function", c->function);
    json_string(j, "file", c->file);
    if (f->line)
        json_count(j, "line", (uint64_t)f->line);
    else
        json_null(j, "line");
}

static void write_native(struct json *j, const struct native_frame *f)
{
    char name[512] = "";
    json_string(j, "kind", "native");
    if (f->symbol)
        write_name(name, sizeof name, f->symbol->name);
    json_string(j, "function", f->symbol ? name : NULL);
    if (f->image)
        write_name(name, sizeof name, f->image->path);
    json_string(j, "file", f->image ? name : NULL);
    json_count(j, "offset", f->symbol ? f->pc - f->symbol->address : f->image ? f->pc - f->image->bias : f->pc);
}

static void write_thread(struct json *j, const struct stacks *s, const struct stacks_thread *t)
{
    json_object(j, NULL);
    if (t->tid)
        json_count(j, "tid", (uint64_t)t->tid);
    else
        json_null(j, "tid");
    json_string(j, "name", t->name);
    json_bool(j, "python", t->python);
    json_bool(j, "holds_gil", t->python && t->python->holds_gil);
    json_bool(j, "consistent", !is_torn(t));
    json_bool(j, "whole", !is_partial(t) && t->matched);
    json_array(j, "frames");
    for (size_t i = 0; i < t->frames; i++) {
        json_object(j, NULL);
        if (t->frame[i].python)
            write_python(j, s, t->frame[i].python);
        else
            write_native(j, t->frame[i].native);
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

bool stack_report_json(const struct stack_report *r, FILE *out)
{
    const struct stacks *s = r->stacks;
    struct json j;
    char command[COMMAND_MAX] = "", version[32];
    process_command(r->pid, command, sizeof command);
    write_version(s, version, sizeof version);
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.stack/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    json_count(&j, "pid", (uint64_t)r->pid);
    json_string(&j, "command", command);
    json_string(&j, "python", version);
    if (s->with_native)
        json_count(&j, "pause_ns", s->native.pause_us * 1000);
    else
        json_null(&j, "pause_ns");
    json_bool(&j, "complete", s->python.complete && (!s->with_native || s->native.complete));
    json_array(&j, "threads");
    for (size_t i = 0; i < s->threads; i++)
        write_thread(&j, s, &s->thread[i]);
    return json_finish(&j);
}
