#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "attachment.h"
#include "capture.h"
#include "clock.h"
#include "command.h"
#include "diagnosis.h"
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
#include "terminal.h"

#define DEFAULT_DELAY 1000000000u
#define STATE 64
#define END_NS 3000000000u /* from its segment's end to its own */
#define END_LOOK_NS 2000000u

struct top {
    struct source *source;
    struct subject *subject; /* its root */
    const struct settings *settings;
    struct following *following;
    const struct format *format;
    uint64_t delay;
    uint64_t tables; /* printed so far */
    bool ended;      /* the process, or the last of the process tree */
    bool complete;   /* so were all that was shown */
};

/* Until the next multiple of the delay: what printing takes does not add up. */
static void sleep_until(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

/* Until the next table is due, those that come meanwhile are attached to. */
static void await_table(struct top *t, uint64_t due)
{
    while (t->following->due < due) {
        sleep_until(t->following->due);
        following_look(t->following);
    }
    sleep_until(due);
}

static int print_interval(const struct top *t, const struct capture *now, const struct capture *before)
{
    struct functions f;
    if (t->tables)
        putchar('\n');
    if (functions_make(&f, now, before) < 0)
        return fail(EXIT_FAILED,
                    "cannot show the interval\n"
                    "out of memory\n"
                    SAME_AGAIN);
    char state[STATE];
    source_state(t->source, state, sizeof state);
    struct moment m = {.f = &f, .now = now, .before = before, .state = state};
    bool whole = t->format->write(&m, t->settings);
    functions_free(&f);
    return whole ? EXIT_OK : fail(EXIT_FAILED,
                                  "cannot show the interval\n"
                                  "out of memory\n"
                                  SAME_AGAIN);
}

/* A process that ends takes its segment along, unless it was killed, and is there for a while yet: its interpreter has more
 * to clean up. */
static bool is_ending(struct top *t)
{
    uint64_t until = clock_ns(CLOCK_MONOTONIC) + END_NS;
    do {
        subject_refresh(t->subject);
        if (!t->subject->alive)
            return true;
        sleep_until(clock_ns(CLOCK_MONOTONIC) + END_LOOK_NS);
    } while (t->subject->error == -ENOENT && clock_ns(CLOCK_MONOTONIC) < until);
    return false;
}

static int has_no_segment(const struct top *t)
{
    int pid = (int)t->subject->pid;
    return fail(EXIT_NO_PROCESS,
                "process %d cannot be shown any more\n"
                "its segment %s is gone: somebody detached from it, or removed the file\n"
                "tscap attach %d",
                pid, t->subject->where, pid);
}

/* The next look, and what came since; it takes the place of `last`, if it can. */
static int next_table(struct top *t, struct capture *last)
{
    struct capture now;
    int r = source_look(t->source, &now);
    if (r == -ENOENT) {
        t->ended = is_ending(t);
        return t->ended ? EXIT_OK : has_no_segment(t);
    }
    if (r < 0)
        return diagnose_segment(t->subject->where, r);
    int code = print_interval(t, &now, last);
    fflush(stdout);
    t->complete &= now.profile.complete;
    bool replaces = capture_replaces(&now, last);
    capture_free(replaces ? last : &now);
    if (replaces)
        *last = now;
    return code;
}

/* Of a process tree: the last of them. */
static bool anybody_lives(const struct top *t)
{
    size_t alive, recording;
    source_count(t->source, &alive, &recording);
    return alive > 0;
}

static int print_tables(struct top *t, uint64_t tables, uint64_t allowed_loss)
{
    struct capture last;
    int code = source_take(t->source, &last);
    if (code != EXIT_OK)
        return code;
    uint64_t due = last.taken;
    for (t->tables = 0; t->tables < tables && code == EXIT_OK && !t->ended; t->tables++) {
        await_table(t, due += t->delay);
        code = next_table(t, &last);
        t->ended |= !anybody_lives(t);
    }
    if (t->ended)
        note("process %d has ended", (int)t->subject->pid);
    last.profile.complete &= t->complete;
    if (code == EXIT_OK)
        code = capture_check_loss(&last, allowed_loss);
    capture_free(&last);
    return code;
}

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
                    "tscap top -b 10 %s",
                    problem, s->operand);
    bool rules = s->match.count || s->exclude.count || s->all || s->builtins || s->method || s->timeout != UNSET;
    if (rules && !s->attach)
        return fail(EXIT_USAGE,
                    "top: --match, --exclude, --all, --builtins, --method and --timeout are for attaching\n"
                    "which functions of a prepared program are recorded is its own affair\n"
                    "tscap top --attach %s",
                    s->operand);
    return EXIT_OK;
}

static int show_tables(struct source *source, const struct settings *s, struct following *following)
{
    struct top t = {
        .source = source,
        .subject = source_root(source),
        .settings = s,
        .following = following,
        .format = format_choose(FORMAT_INTERVAL, s),
        .delay = setting_or(s->delay, DEFAULT_DELAY),
        .complete = true,
    };
    return print_tables(&t, s->batch, setting_or(s->max_loss, 0));
}

static int show_screen(struct source *source, const struct attachment *a, const struct column *sort, struct following *following)
{
    const struct settings *s = a->settings;
    struct live_options o = {
        .attachment = a,
        .following = following,
        .sort = sort,
        .delay = setting_or(s->delay, DEFAULT_DELAY),
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
    if (code != EXIT_OK)
        return code;
    attachment_init(&a, s);
    bool by_name = strcmp(s->operand, "auto") != 0;
    bool prepared = !s->attach && by_name && operand_look(&o, s) == EXIT_OK && o.subject;
    if (!prepared)
        operand_free(&o);
    code = prepared ? show(&o, &a, sort) : show_unprepared(&a, &o, sort);
    operand_free(&o);
    return code;
}
