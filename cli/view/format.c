#include "format.h"

#include <stdint.h>
#include <stdio.h>

#include "functions.h"
#include "processes.h"
#include "profile_json.h"
#include "report.h"
#include "settings.h"
#include "stack_report.h"
#include "terminal.h"
#include "threads.h"

#define NO_LIMIT UINT64_MAX
#define INTERVAL_LIMIT 20

static size_t width_of(const struct settings *s) { return s->width == UNSET ? terminal_width() : s->width; }

/* ---- profiles ---- */

static bool print_functions(const struct functions *f, enum function_table table, const struct settings *s, uint64_t limit)
{
    int code;
    return functions_print(f, table, functions_sort_column(table, s->sort, &code), limit, width_of(s));
}

static bool write_functions(const void *what, const struct settings *s)
{
    struct functions f;
    const struct capture *c = what;
    uint64_t limit = setting_or(s->limit, NO_LIMIT);
    report_heading(c);
    if (functions_make(&f, c, NULL) < 0)
        return false;
    putchar('\n');
    bool whole = print_functions(&f, c->family ? FUNCTIONS_DUMP_FAMILY : FUNCTIONS_DUMP, s, limit);
    report_summary(c, &f, limit);
    functions_free(&f);
    return whole;
}

static bool write_threads(const void *what, const struct settings *s)
{
    uint64_t limit = setting_or(s->limit, NO_LIMIT);
    report_heading(what);
    putchar('\n');
    bool whole = threads_print(what, limit, width_of(s));
    report_summary(what, NULL, limit);
    return whole;
}

static bool write_trees(const void *what, const struct settings *s)
{
    uint64_t limit = setting_or(s->limit, NO_LIMIT);
    report_heading(what);
    bool whole = trees_print(what, limit, width_of(s));
    report_summary(what, NULL, limit);
    return whole;
}

static bool write_profile_json(const void *what, const struct settings *s)
{
    (void)s;
    return profile_json_write(what, stdout);
}

static bool write_interval(const void *what, const struct settings *s)
{
    const struct moment *m = what;
    uint64_t limit = setting_or(s->limit, INTERVAL_LIMIT);
    report_interval(m);
    bool whole = print_functions(m->f, m->now->family ? FUNCTIONS_TOP_FAMILY : FUNCTIONS_TOP, s, limit);
    if (m->f->count > limit)
        printf("%zu more not shown (--limit)\n", m->f->count - (size_t)limit);
    return whole;
}

/* ---- the rest ---- */

static bool write_processes(const void *what, const struct settings *s) { return processes_print(what, s->all, s->tree); }

static bool write_processes_json(const void *what, const struct settings *s) { return processes_json(what, s->all, stdout); }

static bool write_stacks(const void *what, const struct settings *s)
{
    (void)s;
    stack_report_print(what);
    return true;
}

static bool write_stacks_json(const void *what, const struct settings *s)
{
    (void)s;
    return stack_report_json(what, stdout);
}

#define FLAG(field) #field, offsetof(struct settings, field)
#define NO_FLAG NULL, 0
const struct format formats[] = {
    {FORMAT_PROFILE, NO_FLAG, FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH, write_functions},
    {FORMAT_PROFILE, FLAG(json), 0, write_profile_json},
    {FORMAT_PROFILE, FLAG(tree), FORMAT_LIMIT | FORMAT_WIDTH, write_trees},
    {FORMAT_PROFILE, FLAG(threads), FORMAT_LIMIT | FORMAT_WIDTH, write_threads},
    {FORMAT_INTERVAL, NO_FLAG, FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH, write_interval},
    {FORMAT_PROCESSES, NO_FLAG, FORMAT_TREE, write_processes},
    {FORMAT_PROCESSES, FLAG(json), 0, write_processes_json},
    {FORMAT_STACKS, NO_FLAG, 0, write_stacks},
    {FORMAT_STACKS, FLAG(json), 0, write_stacks_json},
};
const size_t format_count = sizeof formats / sizeof *formats;

static bool is_chosen(const struct format *f, const struct settings *s)
{
    return f->option && *(const bool *)((const char *)s + f->flag);
}

const struct format *format_choose(enum format_of of, const struct settings *s)
{
    const struct format *plain = NULL, *chosen = NULL;
    for (size_t i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];
        if (f->of != of)
            continue;
        if (!f->option)
            plain = f;
        else if (is_chosen(f, s) && chosen)
            return NULL;
        else if (is_chosen(f, s))
            chosen = f;
    }
    return chosen ? chosen : plain;
}
