#include "format.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "callers.h"
#include "conversion.h"
#include "digest.h"
#include "filter.h"
#include "functions.h"
#include "groups.h"
#include "message.h"
#include "processes.h"
#include "profile_json.h"
#include "python_list.h"
#include "report.h"
#include "settings.h"
#include "stack_report.h"
#include "status_report.h"
#include "terminal.h"
#include "threads.h"
#include "track_report.h"
#include "trees.h"

#define NO_LIMIT UINT64_MAX
#define INTERVAL_LIMIT 20
#define LEAST_SHARE (TREES_WHOLE / 1000)
#define CHOSEN 512
#define REMEDY 4700 /* an operand may be a path */

static size_t width_of(const struct settings *s) { return s->width == UNSET ? terminal_width() : s->width; }

/* ---- profiles ---- */

static const struct column *sort_of(const struct column *columns, unsigned table, const struct settings *s, const char *otherwise)
{
    return column_find(columns, table, s->sort ? s->sort : otherwise);
}

static bool print_functions(const struct functions *f, enum function_table table, const struct settings *s, const struct filter *filter, uint64_t limit,
                            size_t *fitting)
{
    const struct functions_options o = {
        .filter = filter, .columns = s->columns, .sort = sort_of(function_columns, table, s, "exclusive"), .limit = limit, .width = width_of(s)};
    return functions_print(f, table, &o, fitting);
}

/* What all tables of a profile have around them. */
static bool write_table(const struct capture *c, const struct settings *s,
                        bool (*print)(const struct capture *c, const struct settings *s, const struct filter *filter))
{
    struct filter filter;
    report_heading(c, width_of(s));
    bool whole = filter_open(&filter, s) == EXIT_OK && print(c, s, &filter);
    filter_close(&filter);
    return whole;
}

static bool print_all_functions(const struct capture *c, const struct settings *s, const struct filter *filter)
{
    struct functions f;
    size_t fitting = 0;
    uint64_t limit = setting_or(s->limit, NO_LIMIT);
    if (functions_make(&f, c, NULL) < 0)
        return false;
    putchar('\n');
    bool whole = print_functions(&f, FUNCTIONS_DUMP_FAMILY, s, filter, limit, &fitting);
    report_summary(c, &f, fitting, limit, width_of(s));
    functions_free(&f);
    return whole;
}

static bool print_threads(const struct capture *c, const struct settings *s, const struct filter *filter)
{
    (void)filter;
    putchar('\n');
    return threads_print(c, setting_or(s->limit, NO_LIMIT), s->columns, width_of(s));
}

static bool print_trees(const struct capture *c, const struct settings *s, const struct filter *filter)
{
    const struct trees_options o = {.filter = filter, .columns = s->columns, .least = setting_or(s->min_share, LEAST_SHARE),
                                    .limit = setting_or(s->limit, NO_LIMIT), .width = width_of(s)};
    return trees_print(c, &o);
}

static bool print_groups(const struct capture *c, const struct settings *s, const struct filter *filter)
{
    enum group_by by = GROUP_MODULE;
    const struct groups_options o = {.filter = filter, .columns = s->columns, .sort = sort_of(group_columns, 1, s, "exclusive"),
                                     .limit = setting_or(s->limit, NO_LIMIT), .width = width_of(s)};
    putchar('\n');
    return group_by_name(s->by, &by) && groups_print(c, by, &o);
}

static bool print_callers_of(const struct capture *c, const struct settings *s, const struct filter *filter, enum callers_of of, const char *name)
{
    const struct callers_options o = {.name = name, .filter = filter, .columns = s->columns, .sort = sort_of(caller_columns, 1, s, "inclusive"),
                                      .limit = setting_or(s->limit, NO_LIMIT), .width = width_of(s)};
    return callers_print(c, of, &o);
}

static bool print_callers(const struct capture *c, const struct settings *s, const struct filter *filter)
{
    return print_callers_of(c, s, filter, CALLERS, s->callers);
}

static bool print_callees(const struct capture *c, const struct settings *s, const struct filter *filter)
{
    return print_callers_of(c, s, filter, CALLEES, s->callees);
}

static bool write_functions(const void *what, const struct settings *s) { return write_table(what, s, print_all_functions); }

/* Those of which the summary does not speak. */
static bool write_others(const void *what, const struct settings *s, bool (*print)(const struct capture *, const struct settings *, const struct filter *))
{
    bool whole = write_table(what, s, print);
    report_summary(what, NULL, 0, 0, width_of(s));
    return whole;
}

static bool write_threads(const void *what, const struct settings *s) { return write_others(what, s, print_threads); }
static bool write_trees(const void *what, const struct settings *s) { return write_others(what, s, print_trees); }
static bool write_groups(const void *what, const struct settings *s) { return write_others(what, s, print_groups); }
static bool write_callers(const void *what, const struct settings *s) { return write_others(what, s, print_callers); }
static bool write_callees(const void *what, const struct settings *s) { return write_others(what, s, print_callees); }

static bool save_profile_json(const struct capture *c, const struct settings *s, FILE *out)
{
    return profile_json_write(c, s->no_trees ? PROFILE_JSON_NO_TREES : s->flat ? PROFILE_JSON_FLAT : PROFILE_JSON_NESTED, out);
}

static bool write_digest(const void *what, const struct settings *s) { return digest_write(what, s->operand, stdout); }

static bool write_profile_json(const void *what, const struct settings *s) { return save_profile_json(what, s, stdout); }

static bool write_interval(const void *what, const struct settings *s)
{
    const struct moment *m = what;
    uint64_t limit = setting_or(s->limit, INTERVAL_LIMIT);
    report_interval(m, width_of(s));
    size_t fitting = 0;
    const struct filter all = {.given = false};
    bool whole = print_functions(m->f, FUNCTIONS_TOP_FAMILY, s, &all, limit, &fitting);
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

static bool write_pythons(const void *what, const struct settings *s)
{
    (void)s;
    return python_list_print(what);
}

static bool write_pythons_json(const void *what, const struct settings *s)
{
    (void)s;
    return python_list_json(what, stdout);
}

static bool write_status(const void *what, const struct settings *s)
{
    (void)s;
    return status_report_print(what);
}

static bool write_status_json(const void *what, const struct settings *s)
{
    (void)s;
    return status_report_json(what, stdout);
}

static bool write_tracks(const void *what, const struct settings *s)
{
    (void)s;
    return track_report_print(what);
}

static bool write_tracks_json(const void *what, const struct settings *s)
{
    (void)s;
    return track_report_json(what, stdout);
}

/* ---- the tables ---- */

static bool is_set(const void *field) { return *(const bool *)field; }
static bool is_counted(const void *field) { return *(const uint64_t *)field != UNSET; }
static bool is_told(const void *field) { return *(const char *const *)field; }

#define FLAG(field) .option = #field, .offset = offsetof(struct settings, field), .chosen = is_set
#define TEXT(field) .option = #field, .offset = offsetof(struct settings, field), .chosen = is_told
#define COUNT(field) .option = #field, .offset = offsetof(struct settings, field), .chosen = is_counted
#define NO_OPTION .option = NULL, .offset = 0, .chosen = NULL
const struct format formats[] = {
    {FORMAT_PROFILE, "the table of functions", NO_OPTION, FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS | FORMAT_FILTER, write_functions,
     .name = "table", .columns = function_columns, .table = FUNCTIONS_DUMP_FAMILY, .sort = "exclusive"},
    {FORMAT_PROFILE, "JSON", FLAG(json), FORMAT_NO_TREES | FORMAT_FLAT, write_profile_json, .name = "json", .save = save_profile_json,
     .opens = "scripts, jq: all there is"},
    {FORMAT_PROFILE, "the digest", FLAG(digest), 0, write_digest, .name = "digest"},
    {FORMAT_PROFILE, "trees", FLAG(tree), FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS | FORMAT_FILTER | FORMAT_MIN_SHARE, write_trees, .name = "tree",
     .columns = tree_columns, .table = 1},
    {FORMAT_PROFILE, "the table of threads", FLAG(threads), FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS, write_threads, .name = "threads",
     .columns = thread_columns, .table = THREADS_FAMILY},
    {FORMAT_PROFILE, "groups of functions", TEXT(by), FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS | FORMAT_FILTER, write_groups,
     .columns = group_columns, .table = 1, .sort = "exclusive"},
    {FORMAT_PROFILE, "callers", TEXT(callers), FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS | FORMAT_FILTER, write_callers,
     .columns = caller_columns, .table = 1, .sort = "inclusive"},
    {FORMAT_PROFILE, "callees", TEXT(callees), FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS | FORMAT_FILTER, write_callees,
     .columns = caller_columns, .table = 1, .sort = "inclusive"},
    {FORMAT_PROFILE, "CSV", NO_OPTION, 0, NULL, .name = "csv", .export = export_csv, .opens = "spreadsheets, pandas: a row a function"},
    {FORMAT_PROFILE, "folded stacks", NO_OPTION, FORMAT_METRIC | FORMAT_CALLS, NULL, .name = "folded", .export = export_folded,
     .opens = "flamegraph.pl, inferno-flamegraph, speedscope, profiler.firefox.com"},
    {FORMAT_PROFILE, "speedscope", NO_OPTION, FORMAT_METRIC | FORMAT_CALLS, NULL, .name = "speedscope", .export = export_speedscope,
     .opens = "https://www.speedscope.app (also npx speedscope)"},
    {FORMAT_PROFILE, "pstats", NO_OPTION, FORMAT_METRIC, NULL, .name = "pstats", .export = export_pstats, .binary = true,
     .opens = "python -m pstats, snakeviz, tuna, gprof2dot -f pstats"},
    {FORMAT_PROFILE, "callgrind", NO_OPTION, 0, NULL, .name = "callgrind", .export = export_callgrind,
     .opens = "KCachegrind, callgrind_annotate, gprof2dot -f callgrind"},
    {FORMAT_PROFILE, "pprof", NO_OPTION, FORMAT_METRIC | FORMAT_CALLS, NULL, .name = "pprof", .export = export_pprof, .binary = true,
     .opens = "go tool pprof, Pyroscope; calls, wall and CPU time in one, --metric comes first"},
    {FORMAT_PROFILE, "SVG", NO_OPTION, FORMAT_METRIC | FORMAT_CALLS | FORMAT_INVERT, NULL, .name = "svg", .export = export_svg,
     .opens = "web browsers: a flame graph; a click zooms, ^F searches"},
    {FORMAT_INTERVAL, "a full screen, which scrolls", NO_OPTION, FORMAT_SORT, NULL},
    {FORMAT_INTERVAL, "tables (-b N)", COUNT(batch), FORMAT_SORT | FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_COLUMNS, write_interval,
     .columns = function_columns, .table = FUNCTIONS_TOP_FAMILY, .sort = "exclusive"},
    {FORMAT_PROCESSES, "the table", NO_OPTION, FORMAT_TREE, write_processes},
    {FORMAT_PROCESSES, "JSON", FLAG(json), 0, write_processes_json},
    {FORMAT_STACKS, "the list", NO_OPTION, 0, write_stacks},
    {FORMAT_STACKS, "JSON", FLAG(json), 0, write_stacks_json},
    {FORMAT_STATUS, "the list", NO_OPTION, 0, write_status},
    {FORMAT_STATUS, "JSON", FLAG(json), 0, write_status_json},
    {FORMAT_TRACKS, "the table", NO_OPTION, 0, write_tracks},
    {FORMAT_TRACKS, "JSON", FLAG(json), 0, write_tracks_json},
    {FORMAT_PYTHONS, "the table", NO_OPTION, 0, write_pythons},
    {FORMAT_PYTHONS, "JSON", FLAG(json), 0, write_pythons_json},
    {FORMAT_DIFF, "the table of functions", NO_OPTION, FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_METRIC, NULL, .name = "table"},
    {FORMAT_DIFF, "the call tree", FLAG(tree), FORMAT_LIMIT | FORMAT_WIDTH | FORMAT_METRIC, NULL, .name = "tree"},
    {FORMAT_DIFF, "SVG", NO_OPTION, FORMAT_METRIC, NULL, .name = "svg"},
    {FORMAT_DIFF, "Markdown", FLAG(markdown), FORMAT_LIMIT | FORMAT_METRIC, NULL, .name = "markdown"},
    {FORMAT_DIFF, "JSON", FLAG(json), FORMAT_NO_TREES | FORMAT_METRIC, NULL, .name = "json"},
};
const size_t format_count = sizeof formats / sizeof *formats;

#define AT(field) offsetof(struct settings, field)
const struct format_option format_options[] = {
    {"sort", AT(sort), is_told, 0},
    {"limit", AT(limit), is_counted, 0},
    {"width", AT(width), is_counted, 0},
    {"tree", AT(tree), is_set, 0},
    {"no-trees", AT(no_trees), is_set, 0},
    {"flat", AT(flat), is_set, FORMAT_NO_TREES},
    {"metric", AT(metric), is_told, 0},
    {"invert", AT(invert), is_set, 0},
    {"columns", AT(columns), is_told, 0},
    {"filter", AT(filter), is_told, 0},
    {"min-share", AT(min_share), is_counted, 0},
};
const size_t format_option_count = sizeof format_options / sizeof *format_options;

bool format_save(const struct format *f, const struct capture *c, const struct settings *s, FILE *out)
{
    return f->export ? conversion_write(f->export, c, s, out) : f->save(c, s, out);
}

/* ---- choosing ---- */

const struct format *format_named(enum format_of of, const char *name)
{
    for (const struct format *f = formats; f < formats + format_count; f++)
        if (f->of == of && f->name && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static bool is_flagged(const struct format *f, const struct settings *s)
{
    return f->option && f->chosen((const char *)s + f->offset);
}

static bool is_chosen(const struct format *f, const struct settings *s)
{
    return is_flagged(f, s) || (s->format && f == format_named(f->of, s->format));
}

/* The first that needs no option where none is chosen; NULL: --format names none. `*second`: one more that is chosen. */
static const struct format *choose(enum format_of of, const struct settings *s, const struct format **second)
{
    const struct format *plain = NULL, *chosen = NULL;
    *second = NULL;
    for (const struct format *f = formats; f < formats + format_count; f++) {
        if (f->of != of)
            continue;
        if (is_chosen(f, s) && chosen)
            *second = f;
        else if (is_chosen(f, s))
            chosen = f;
        if (!plain && !f->option)
            plain = f;
    }
    return chosen || s->format ? chosen : plain;
}

const struct format *format_choose(enum format_of of, const struct settings *s)
{
    const struct format *second, *chosen = choose(of, s, &second);
    return second ? NULL : chosen;
}

/* ---- what it says of the table ---- */

static int check_group(const struct settings *s)
{
    enum group_by by;
    if (!s->by || group_by_name(s->by, &by))
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "%s: --by: functions have no '%.64s'\n"
                "there are: module, file, prefix\n"
                "tscap %s --by module %s",
                s->command, s->by, s->command, s->operand);
}

static int check_columns(const struct format *f, const struct settings *s)
{
    bool help = s->columns && strcmp(s->columns, "help") == 0;
    if (help)
        column_list(f->columns, f->table, stdout);
    return help || !s->columns ? EXIT_OK : column_check(f->columns, f->table, s->columns, s->command);
}

static int check_filter(const struct settings *s)
{
    struct filter filter;
    int code = filter_open(&filter, s);
    filter_close(&filter);
    return code;
}

bool format_check_table(const struct format *f, const struct settings *s, int *code)
{
    *code = EXIT_OK;
    if (f->sort && !column_sorting(f->columns, f->table, s->sort, f->sort, s->command, code))
        return false;
    *code = check_columns(f, s);
    if (*code == EXIT_OK)
        *code = check_filter(s);
    if (*code == EXIT_OK)
        *code = check_group(s);
    return *code == EXIT_OK && !(s->columns && strcmp(s->columns, "help") == 0);
}

int format_check_capture(const struct format *f, const struct capture *c, const struct settings *s)
{
    const char *operand = s->operand ? s->operand : "";
    if (f->write == write_callers)
        return callers_check(c, CALLERS, s->callers, s->command, operand);
    return f->write == write_callees ? callers_check(c, CALLEES, s->callees, s->command, operand) : EXIT_OK;
}

/* ---- what does not go together ---- */

/* An option that chooses a format is none that one heeds. */
static bool chooses(enum format_of of, const char *option)
{
    for (const struct format *f = formats; f < formats + format_count; f++)
        if (f->of == of && f->option && strcmp(f->option, option) == 0)
            return true;
    return false;
}

static bool is_given(const struct format_option *o, const struct settings *s) { return o->given((const char *)s + o->offset); }

static const struct format_option *find_excluded(const struct settings *s, const struct format_option **by)
{
    for (*by = format_options; *by < format_options + format_option_count; ++*by)
        for (size_t i = 0; is_given(*by, s) && i < format_option_count; i++)
            if ((*by)->excludes & 1u << i && is_given(&format_options[i], s))
                return &format_options[i];
    return NULL;
}

static const struct format_option *find_unheeded(const struct format *f, const struct settings *s)
{
    for (size_t i = 0; i < format_option_count; i++) {
        const struct format_option *o = &format_options[i];
        if (is_given(o, s) && !(f->accepts & 1u << i) && !chooses(f->of, o->name))
            return o;
    }
    return NULL;
}

/* "the table of functions, trees": whose option it is. */
static void list_heeding(enum format_of of, const struct format_option *o, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (const struct format *f = formats; f < formats + format_count && used < size; f++)
        if (f->of == of && f->accepts & 1u << (o - format_options))
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", f->title);
    if (!used)
        snprintf(buffer, size, "another form");
}

/* What chooses it: " --json", " --format csv", or "". */
static void write_choice(const struct format *f, const struct settings *s, char *buffer, size_t size)
{
    if (is_flagged(f, s) && f->chosen == is_told)
        snprintf(buffer, size, " --%s '%.400s'", f->option, *(const char *const *)((const char *)s + f->offset));
    else if (is_flagged(f, s))
        snprintf(buffer, size, " --%s", f->option);
    else
        snprintf(buffer, size, "%s%s", s->format ? " --format " : "", s->format ? f->name : "");
}

static void write_remedy(const struct format *f, const struct settings *s, char *buffer, size_t size)
{
    char choice[CHOSEN];
    const char *operand = s->operand ? s->operand : "";
    write_choice(f, s, choice, sizeof choice);
    snprintf(buffer, size, "tscap %s%s%s%s", s->command, operand[0] ? " " : "", operand, choice);
}

static void fail_to_combine(const struct settings *s, const char *one, const char *other, const char *remedy)
{
    fail(EXIT_USAGE,
         "%s:%s and%s exclude each other\n"
         "they ask for the same in two forms\n"
         "%s",
         s->command, one, other, remedy);
}

static void fail_to_choose(const struct settings *s, const struct format *f, const struct format *second, const char *remedy)
{
    char one[CHOSEN], other[CHOSEN];
    write_choice(f, s, one, sizeof one);
    write_choice(second, s, other, sizeof other);
    fail_to_combine(s, one, other, remedy);
}

static void fail_to_heed(const struct format *f, const struct format_option *o, const struct settings *s, const char *remedy)
{
    char heeding[256];
    list_heeding(f->of, o, heeding, sizeof heeding);
    fail(EXIT_USAGE,
         "%s: --%s does not go with %s\n"
         "it is for %s\n"
         "%s",
         s->command, o->name, f->title, heeding, remedy);
}

static void fail_to_exclude(const struct settings *s, const struct format_option *by, const struct format_option *excluded, const char *remedy)
{
    char one[64], other[64];
    snprintf(one, sizeof one, " --%s", by->name);
    snprintf(other, sizeof other, " --%s", excluded->name);
    fail_to_combine(s, one, other, remedy);
}

const struct format *format_check(enum format_of of, const struct settings *s)
{
    char remedy[REMEDY];
    const struct format_option *by;
    const struct format *second, *f = choose(of, s, &second);
    const struct format_option *excluded = find_excluded(s, &by), *unheeded = find_unheeded(f, s);
    write_remedy(f, s, remedy, sizeof remedy);
    if (second)
        fail_to_choose(s, f, second, remedy);
    else if (unheeded)
        fail_to_heed(f, unheeded, s, remedy);
    else if (excluded)
        fail_to_exclude(s, by, excluded, remedy);
    return second || unheeded || excluded ? NULL : f;
}
