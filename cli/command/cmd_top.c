#include <signal.h>
#include <string.h>

#include "attachment.h"
#include "command.h"
#include "following.h"
#include "format.h"
#include "hold.h"
#include "functions.h"
#include "live.h"
#include "message.h"
#include "offer.h"
#include "operand.h"
#include "python_operand.h"
#include "report.h"
#include "settings.h"
#include "source.h"
#include "tables.h"
#include "terminal.h"
#include "top_run.h"

/* No option that the form would not heed. */
static int check_form(const struct settings *s)
{
    const char *problem = s->batch == UNSET ? terminal_problem() : NULL;
    if (!format_check(FORMAT_INTERVAL, s))
        return EXIT_USAGE;
    if (problem)
        return fail(EXIT_USAGE,
                    "top: a full screen cannot be shown here\n"
                    "%s\n"
                    "tscap top%s -b 10 %s%s",
                    problem, s->run ? " --run" : "", s->run ? "-- " : "", s->operand);
    if (s->run)
        return top_run_check(s);
    if (s->output || s->force || s->redact || s->program_output)
        return fail(EXIT_USAGE,
                    "top: --output, --force, --redact and --program-output are for --run\n"
                    "what a running process does goes to a file by record\n"
                    "tscap record %s",
                    s->operand);
    bool rules = s->match.count || s->exclude.count || s->all || s->builtins || s->method || s->timeout != UNSET;
    if (rules && !s->attach)
        return fail(EXIT_USAGE,
                    "top: --match, --exclude, --all, --builtins, --method and --timeout are for attaching\n"
                    "which functions of a prepared program are recorded is its own affair\n"
                    "tscap top --attach %s",
                    s->operand);
    return EXIT_OK;
}

/* Until the next table is due, those that come meanwhile are attached to. */
static void await_table(const struct tables *t, struct following *following)
{
    while (following->due < t->due) {
        tables_sleep_until(following->due);
        following_look(following);
    }
    tables_sleep_until(t->due);
}

static int show_tables(struct source *source, const struct settings *s, struct following *following)
{
    struct tables t;
    int code = tables_begin(&t, source, s);
    while (code == EXIT_OK && !tables_over(&t)) {
        await_table(&t, following);
        code = tables_next(&t);
    }
    return tables_end(&t, code);
}

static int show_screen(struct source *source, const struct attachment *a, const struct column *sort, struct following *following)
{
    const struct settings *s = a->settings;
    struct live_options o = {
        .attachment = a,
        .following = following,
        .sort = sort,
        .delay = setting_or(s->delay, TABLES_DELAY),
        .max_loss = setting_or(s->max_loss, 0),
        .start = !s->no_start && choice_make(s).of != CHOICE_CONSUMER,
    };
    return live_run(source, &o);
}

/* The first look shows those that are attached to, too. */
static int show(struct operand *o, const struct attachment *a, const struct column *sort)
{
    struct following following = {.due = UINT64_MAX};
    struct source source;
    struct view view;
    const struct settings *s = a->settings;
    const struct choice choice = choice_make(s);
    int code = source_open(&source, &o->places, o->subject, s->subprocesses, &choice);
    if (operand_take_view(o, o->subject, &view))
        source_begin_with(&source, &view);
    if (code == EXIT_OK && attachment_ordered(a))
        following_begin(&following, a, o->subject);
    if (code == EXIT_OK)
        code = s->batch == UNSET ? show_screen(&source, a, sort, &following) : show_tables(&source, s, &following);
    source_free(&source);
    int followed = following_end(&following);
    return code == EXIT_OK ? followed : code;
}

/* ---- attaching ---- */

/* Nothing keeps us from attaching to it. */
static bool can_be_offered(struct attachment *a, pid_t pid)
{
    if (pid)
        plan_make(&a->plan, pid, METHOD_AUTO);
    return pid && !plan_forbidden_by(&a->plan);
}

static int show_attached(struct attachment *a, struct operand *o, const struct column *sort)
{
    sigset_t before;
    a->tethered = a->alone = true;
    int code = attachment_check(a);
    hold_signals(&before); /* from when something is brought in until it is bound to our life */
    if (code == EXIT_OK)
        code = attachment_find(a, o);
    if (code == EXIT_OK)
        code = attachment_order(a, o->subject);
    hold_end(&before);
    if (code == EXIT_OK) {
        subject_refresh(o->subject);
        code = show(o, a, sort);
    }
    int ended = o->subject ? attachment_end(a, o->subject) : EXIT_OK;
    return code == EXIT_OK ? ended : code;
}

static int show_unprepared(struct attachment *a, struct operand *o, const struct column *sort)
{
    struct python_operand named;
    int found = python_operand_find(&named, a->settings);
    if (found != EXIT_OK)
        return found;
    const struct settings *s = a->settings = &named.settings;
    if (s->attach || (can_be_offered(a, operand_pid(s->operand)) && offer_to_attach(&a->plan)))
        return show_attached(a, o, sort);
    int code = operand_find(o, s, OPERAND_LIVING);
    return code == EXIT_OK ? show(o, a, sort) : code;
}

int cmd_top(const struct settings *s)
{
    struct operand o = {0};
    struct attachment a;
    int code;
    const struct column *sort = functions_sort_column(s->subprocesses ? FUNCTIONS_TOP_FAMILY : FUNCTIONS_TOP, s->sort, &code);
    if (!sort)
        return code;
    code = check_form(s);
    if (code == EXIT_OK && !format_check_table(format_choose(FORMAT_INTERVAL, s), s, &code))
        return code;
    if (code == EXIT_OK)
        code = choice_check(s);
    if (code != EXIT_OK || s->run)
        return code == EXIT_OK ? top_run(s, sort) : code;
    attachment_init(&a, s);
    bool by_name = strcmp(s->operand, "auto") != 0;
    bool prepared = !s->attach && by_name && operand_look(&o, s) == EXIT_OK && o.subject;
    if (!prepared)
        operand_free(&o);
    code = prepared ? show(&o, &a, sort) : show_unprepared(&a, &o, sort);
    operand_free(&o);
    return code;
}
