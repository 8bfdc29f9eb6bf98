#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "capture.h"
#include "command.h"
#include "diagnosis.h"
#include "functions.h"
#include "live.h"
#include "members.h"
#include "message.h"
#include "operand.h"
#include "option.h"
#include "report.h"
#include "terminal.h"

#define DEFAULT_DELAY 1000000000u
#define DEFAULT_LIMIT 20
#define STATE 64

struct top {
    struct subject *subject;
    struct members *members; /* NULL: of this process alone */
    const struct column *sort;
    uint64_t delay, limit;
    size_t width;
    bool complete; /* so were all that was shown */
};

/* Until the next multiple of the delay: what printing takes does not add up. */
static void sleep_until(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static int print_interval(const struct top *t, const struct capture *now, const struct capture *before)
{
    struct functions f;
    if (functions_make(&f, now, before) < 0)
        return fail(EXIT_FAILED,
                    "cannot show the interval\n"
                    "out of memory\n"
                    "the same again");
    char state[STATE];
    if (t->members)
        members_state(t->members, state, sizeof state);
    else
        snprintf(state, sizeof state, "%s", subject_state(now->subject));
    struct moment m = {.f = &f, .now = now, .before = before, .state = state};
    report_interval(&m);
    bool whole = functions_print(&f, t->members ? FUNCTIONS_TOP_FAMILY : FUNCTIONS_TOP, t->sort, t->limit, t->width);
    if (f.count > t->limit)
        printf("%zu more not shown (--limit)\n", f.count - (size_t)t->limit);
    functions_free(&f);
    return whole ? EXIT_OK : fail(EXIT_FAILED,
                                  "cannot show the interval\n"
                                  "out of memory\n"
                                  "the same again");
}

static int look(const struct top *t, struct capture *c)
{
    if (!t->members)
        return capture_take(c, t->subject);
    int r = members_look(t->members, c);
    return r < 0 ? diagnose_segment(t->subject->where, r) : EXIT_OK;
}

/* The next look, and what came since; it takes the place of `last`, if it can. */
static int next_table(struct top *t, struct capture *last)
{
    struct capture now;
    subject_refresh(t->subject);
    int code = look(t, &now);
    if (code != EXIT_OK)
        return code;
    code = print_interval(t, &now, last);
    fflush(stdout);
    t->complete &= now.profile.complete;
    bool replaces = capture_replaces(&now, last);
    capture_free(replaces ? last : &now);
    if (replaces)
        *last = now;
    return code;
}

/* A process that ends takes its segment along, unless it was killed. */
static bool has_ended(struct top *t)
{
    subject_refresh(t->subject);
    return !t->subject->alive && t->subject->error == -ENOENT;
}

/* Of a family: the last of them. */
static bool anybody_lives(const struct top *t)
{
    size_t alive = t->subject->alive, recording;
    if (t->members)
        members_count(t->members, &alive, &recording);
    return alive > 0;
}

static int print_tables(struct top *t, uint64_t tables, uint64_t allowed_loss)
{
    struct capture last;
    int code = look(t, &last);
    if (code != EXIT_OK)
        return code;
    uint64_t due = last.taken;
    bool ended = false;
    for (uint64_t i = 0; i < tables && code == EXIT_OK && !ended; i++) {
        if (i)
            putchar('\n');
        sleep_until(due += t->delay);
        ended = has_ended(t);
        if (!ended)
            code = next_table(t, &last);
        ended |= !anybody_lives(t);
    }
    if (ended)
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
    if (s->batch == UNSET && (s->limit != UNSET || s->width != UNSET))
        return fail(EXIT_USAGE,
                    "top: --limit and --width are for tables, with -b\n"
                    "a full screen is as large as the terminal, and scrolls\n"
                    "tscap top %s",
                    s->operand);
    if (problem)
        return fail(EXIT_USAGE,
                    "top: a full screen cannot be shown here\n"
                    "%s\n"
                    "tscap top -b 10 %s",
                    problem, s->operand);
    return EXIT_OK;
}

static int show_tables(struct subject *subject, struct members *members, const struct settings *s, const struct column *sort)
{
    struct top t = {
        .subject = subject,
        .sort = sort,
        .delay = setting_or(s->delay, DEFAULT_DELAY),
        .limit = setting_or(s->limit, DEFAULT_LIMIT),
        .width = s->width == UNSET ? terminal_width() : s->width,
        .complete = true,
    };
    t.members = members;
    return print_tables(&t, s->batch, setting_or(s->max_loss, 0));
}

static int show_screen(struct subject *subject, struct members *members, const struct settings *s, const struct column *sort)
{
    struct live_options o = {
        .members = members,
        .sort = sort,
        .delay = setting_or(s->delay, DEFAULT_DELAY),
        .max_loss = setting_or(s->max_loss, 0),
        .start = !s->no_start,
    };
    return live_run(subject, &o);
}

static int show(const struct operand *o, const struct settings *s, const struct column *sort)
{
    struct members m = {0}, *members = s->subprocesses ? &m : NULL;
    if (members)
        members_begin(members, &o->places, o->subject);
    int code = s->batch == UNSET ? show_screen(o->subject, members, s, sort) : show_tables(o->subject, members, s, sort);
    members_free(&m);
    return code;
}

int cmd_top(const struct settings *s)
{
    struct operand o;
    int code;
    const struct column *sort = functions_sort_column(s->subprocesses ? FUNCTIONS_TOP_FAMILY : FUNCTIONS_TOP, s->sort, &code);
    if (!sort)
        return code;
    code = check_form(s);
    if (code != EXIT_OK)
        return code;
    code = operand_find(&o, s, OPERAND_LIVING);
    if (code == EXIT_OK)
        code = show(&o, s, sort);
    operand_free(&o);
    return code;
}
