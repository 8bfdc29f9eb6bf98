#include <stdio.h>

#include "capture.h"
#include "command.h"
#include "diagnosis.h"
#include "functions.h"
#include "members.h"
#include "message.h"
#include "operand.h"
#include "profile_json.h"
#include "report.h"
#include "settings.h"
#include "terminal.h"
#include "threads.h"

/* One form at a time, and no option that the form would not heed. */
static int check_form(const struct settings *s)
{
    bool lists_functions = !s->json && !s->tree && !s->threads;
    if (s->json + s->tree + s->threads > 1)
        return fail(EXIT_USAGE,
                    "dump: only one of --json, --tree and --threads\n"
                    "--json holds what the other two show\n"
                    "tscap dump %s --json",
                    s->operand);
    if (s->sort && !lists_functions)
        return fail(EXIT_USAGE,
                    "dump: --sort is for the table of functions\n"
                    "trees are sorted by inclusive time, JSON by id\n"
                    "tscap dump %s --sort %s",
                    s->operand, s->sort);
    if (s->json && (s->limit != UNSET || s->width != UNSET))
        return fail(EXIT_USAGE,
                    "dump: --limit and --width are for tables\n"
                    "JSON has everything\n"
                    "tscap dump %s --json",
                    s->operand);
    return EXIT_OK;
}

static bool print_functions(const struct capture *c, const struct column *sort, uint64_t limit, size_t width)
{
    struct functions f;
    if (functions_make(&f, c, NULL) < 0)
        return false;
    putchar('\n');
    bool whole = functions_print(&f, c->members ? FUNCTIONS_DUMP_FAMILY : FUNCTIONS_DUMP, sort, limit, width);
    report_summary(c, &f, limit);
    functions_free(&f);
    return whole;
}

static bool print_threads(const struct capture *c, bool tree, uint64_t limit, size_t width)
{
    if (!tree)
        putchar('\n');
    bool whole = tree ? trees_print(c, limit, width) : threads_print(c, limit, width);
    report_summary(c, NULL, limit);
    return whole;
}

static bool print_capture(const struct capture *c, const struct settings *s, const struct column *sort)
{
    uint64_t limit = setting_or(s->limit, UINT64_MAX);
    size_t width = s->width == UNSET ? terminal_width() : s->width;
    if (s->json)
        return profile_json_write(c, stdout);
    report_heading(c);
    if (s->tree || s->threads)
        return print_threads(c, s->tree, limit, width);
    return print_functions(c, sort, limit, width);
}

/* Where there is nothing to see, say what would change that. */
static void explain_emptiness(const struct capture *c)
{
    bool live = c->subject->alive && c->subject->dirfd >= 0;
    if (c->profile.calls || c->profile.lost || c->profile.lost_sites || c->profile.lost_interpreters || !c->profile.complete)
        return;
    if (live && !c->snapshot.session.running)
        note("nothing is recorded of process %d: tscap start %d", (int)c->subject->pid, (int)c->subject->pid);
    else
        note("no decorated function was called while process %d recorded", (int)c->subject->pid);
}

static int show(struct capture *c, const struct settings *s, const struct column *sort)
{
    if (!print_capture(c, s, sort))
        return fail(EXIT_FAILED,
                    "cannot show the profile\n"
                    "out of memory\n"
                    "the same again");
    explain_emptiness(c);
    return capture_check_loss(c, setting_or(s->max_loss, 0));
}

static int dump(const struct subject *subject, const struct settings *s, const struct column *sort)
{
    struct capture c;
    int code = capture_take(&c, subject);
    if (code != EXIT_OK)
        return code;
    code = show(&c, s, sort);
    capture_free(&c);
    return code;
}

static int dump_family(const struct operand *o, const struct settings *s, const struct column *sort)
{
    struct capture c;
    struct members m;
    members_begin(&m, &o->places, o->subject);
    int r = members_look(&m, &c), code = r < 0 ? diagnose_segment(o->subject->where, r) : show(&c, s, sort);
    if (r == 0)
        capture_free(&c);
    members_free(&m);
    return code;
}

int cmd_dump(const struct settings *s)
{
    struct operand o;
    int code = check_form(s);
    enum function_table table = s->subprocesses ? FUNCTIONS_DUMP_FAMILY : FUNCTIONS_DUMP;
    const struct column *sort = code == EXIT_OK ? functions_sort_column(table, s->sort, &code) : NULL;
    if (!sort)
        return code;
    code = operand_find(&o, s, s->subprocesses ? OPERAND_PROCESS : OPERAND_ANY);
    if (code == EXIT_OK)
        code = s->subprocesses ? dump_family(&o, s, sort) : dump(o.subject, s, sort);
    operand_free(&o);
    return code;
}
