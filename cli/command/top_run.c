#include "top_run.h"

#include <signal.h>

#include "clock.h"
#include "ending.h"
#include "live.h"
#include "message.h"
#include "program.h"
#include "settings.h"
#include "signals.h"
#include "tables.h"

#define SOON_NS 50000000u /* until the next look whether it has come */

struct top_run {
    struct program program;
    const struct settings *settings;
    struct source source; /* what is shown: other looks than those that go to the file */
    bool shows;           /* there is a source */
    struct tables tables;
};

int top_run_check(const struct settings *s)
{
    if (!s->attach && !s->no_start)
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "top: --attach and --no-start do not go with --run\n"
                "a program that is started is recorded from its first line\n"
                "tscap top --run -- %s",
                s->operand);
}

/* ---- the first Python process ---- */

static uint64_t look_for_it(void *context)
{
    struct top_run *t = context;
    uint64_t pause = program_attend(&t->program);
    if (keeping_subject(&t->program.keeping))
        return JOB_LEAVE;
    return pause < SOON_NS ? pause : SOON_NS;
}

static bool open_source(struct top_run *t)
{
    const struct settings *s = t->settings;
    const struct choice choice = choice_make(s);
    const struct subject *subject = keeping_subject(&t->program.keeping);
    t->shows = subject && source_open(&t->source, &t->program.keeping.places, subject, s->subprocesses, &choice) == EXIT_OK;
    return t->shows;
}

/* ---- the screen ---- */

/* Until it ends it is waited for; then there is nothing to do. */
static uint64_t attend(void *context)
{
    struct top_run *t = context;
    uint64_t pause = job_has_ended(&t->program.job) ? UINT64_MAX : program_attend(&t->program);
    return pause;
}

static void show_screen(struct top_run *t, const struct column *sort)
{
    const struct settings *s = t->settings;
    const struct live_options o = {
        .attachment = &t->program.attachment,
        .sort = sort,
        .delay = setting_or(s->delay, TABLES_DELAY),
        .max_loss = setting_or(s->max_loss, 0),
        .attend = attend,
        .context = t,
        .signals = &t->program.job.before,
    };
    live_run(&t->source, &o);
    int number = signals_ending();
    if (job_has_ended(&t->program.job))
        return;
    if (number)
        kill(t->program.job.pid, number);
    else
        note("%s goes on, and is waited for (^C ends it)", s->words[0]);
}

/* ---- tables ---- */

static uint64_t print_in_time(void *context)
{
    struct top_run *t = context;
    uint64_t pause = program_attend(&t->program), now = clock_ns(CLOCK_MONOTONIC);
    if (tables_over(&t->tables))
        return pause;
    if (now >= t->tables.due && tables_next(&t->tables) != EXIT_OK)
        return JOB_LEAVE;
    now = clock_ns(CLOCK_MONOTONIC);
    uint64_t until = t->tables.due > now ? t->tables.due - now : 0;
    return until < pause ? until : pause;
}

static void print_tables(struct top_run *t)
{
    int code = tables_begin(&t->tables, &t->source, t->settings);
    if (code == EXIT_OK)
        job_wait(&t->program.job, print_in_time, t);
    tables_end(&t->tables, code);
}

/* ---- the whole ---- */

static void show(struct top_run *t, const struct column *sort)
{
    job_wait(&t->program.job, look_for_it, t);
    if (!open_source(t))
        return;
    if (t->settings->batch == UNSET)
        show_screen(t, sort);
    else
        print_tables(t);
}

int top_run(const struct settings *s, const struct column *sort)
{
    struct top_run t = {.settings = s};
    int code = program_start(&t.program, s);
    if (code == EXIT_OK) {
        show(&t, sort);
        program_await(&t.program);
        source_free(&t.source);
        ending_tell(&t.program);
        code = job_exit_code(&t.program.job);
    }
    program_free(&t.program);
    return code;
}
