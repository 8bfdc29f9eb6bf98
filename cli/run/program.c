#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "launch.h"
#include "message.h"
#include "run_file.h"
#include "units.h"

#define GRACE_NS 400000000u       /* for an interpreter to come by itself */
#define PATIENCE_NS 2000000000u   /* for one that is attached to: the job is not looked at meanwhile */
#define EXIT_CANNOT_EXECUTE 126   /* as shells have it */
#define EXIT_NOT_FOUND 127

/* ---- starting it ---- */

static int cannot_start(const char *command, int error)
{
    return fail((enum exit_code)(error == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE),
                "cannot start %s\n"
                "%s\n"
                "command -v %s",
                command, strerror(-error), command);
}

static void tell_what_is_missing(const struct startup *u)
{
    if (!u->folder[0])
        note("there is no timestamp_capture beside this tscap: Python processes are attached to, a moment after they have begun");
}

/* At once: who has waited for a program to end shall not learn then that the file was there before. */
static int open_output(struct program *p)
{
    if (strcmp(p->settings->output, "-") == 0)
        return fail(EXIT_USAGE,
                    "run: --output - cannot be\n"
                    "stdout is the program's\n"
                    "tscap run --output FILE ...");
    return saving_open(&p->saving, p->settings, 0, "");
}

/* In the child. */
static void prepare(const void *program)
{
    const struct program *p = program;
    startup_set_environment(&p->startup);
    program_output_take(&p->output);
}

/* An interpreter that takes nothing from its environment. */
static bool is_deaf(char *const *words)
{
    char line[4096];
    size_t used = 0;
    for (; *words && used + strlen(*words) + 1 < sizeof line; words++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s", *words) + 1;
    return descendants_is_deaf(line, used);
}

int program_start(struct program *p, const struct settings *s)
{
    *p = (struct program){.settings = s, .output = {.fd = -1}, .startup = {.dirfd = -1, .file = -1, .lifeline = -1}, .saving.fd = -1};
    attachment_init(&p->attachment, s);
    p->attachment.keeps = true;
    p->attachment.timeout = PATIENCE_NS;
    int code = attachment_check(&p->attachment);
    if (code == EXIT_OK && s->output)
        code = open_output(p);
    if (code == EXIT_OK && s->run)
        code = program_output_open(&p->output, s);
    if (code == EXIT_OK)
        code = startup_make(&p->startup, p->attachment.rules);
    if (code != EXIT_OK)
        return code;
    tell_what_is_missing(&p->startup);
    job_begin(&p->job);
    if (!s->subprocesses && is_deaf(s->words))
        p->startup.folder[0] = '\0'; /* it would only see it */
    p->job.pid = launch(s->words, &p->job.before, prepare, p);
    if (p->job.pid < 0)
        return cannot_start(s->words[0], p->job.pid);
    descendants_open(&p->descendants, p->job.pid);
    program_output_name(&p->output, p->job.pid);
    keeping_open(&p->keeping, s, &p->saving, s->output || !s->run);
    return EXIT_OK;
}

void program_free(struct program *p)
{
    startup_remove(&p->startup);
    keeping_free(&p->keeping);
    saving_drop(&p->saving);
    program_output_close(&p->output);
    descendants_free(&p->descendants);
}

/* ---- those that do not come by themselves ---- */

static bool somebody_has_come(const char *text)
{
    struct run_file_line line;
    for (size_t i = 0; run_file_line(text, i, &line); i++)
        if (line.start_time)
            return true;
    return false;
}

static bool is_late(const struct program *p, const struct descendant *d, uint64_t now)
{
    bool hopeless = d->deaf || !p->startup.folder[0];
    return d->present && d->python && !d->settled && (hopeless || now - d->since >= GRACE_NS);
}

static void tell_what_was_missed(const struct descendant *d, uint64_t begun)
{
    char after[UNITS_TEXT];
    const char *why = d->deaf ? "it was told to take nothing from its environment (-I, -E, -S)" : "it did not come by itself";
    units_write_time(after, sizeof after, begun - d->since);
    note("attached to process %d, %s after its start: %s", (int)d->pid, after, why);
}

/* What stands in the way is told once, for it may be so with many; with one that has ended meanwhile it is no matter. */
static bool bring(struct program *p, struct operand *operand, pid_t pid)
{
    char problem[MESSAGE_MAX] = "";
    message_keep(problem, sizeof problem);
    int code = attachment_find(&p->attachment, operand);
    if (code == EXIT_OK)
        code = attachment_order(&p->attachment, operand->subject);
    message_keep(NULL, 0);
    if (code == EXIT_OK || code == EXIT_NO_PROCESS || target_has_ended(pid))
        return code == EXIT_OK;
    if (!p->refused)
        fail((enum exit_code)code, "%s", problem);
    p->refused = true;
    return false;
}

static void attach(struct program *p, struct descendant *d)
{
    char number[16];
    struct operand operand = {0};
    struct attachment *a = &p->attachment;
    struct settings settings = *p->settings;
    uint64_t begun = clock_ns(CLOCK_MONOTONIC);
    d->settled = true;
    snprintf(number, sizeof number, "%ld", (long)d->pid);
    settings.operand = number;
    a->settings = &settings;
    if (bring(p, &operand, d->pid)) {
        startup_join(&p->startup, operand.subject->inner, d->start_time);
        tell_what_was_missed(d, begun);
    }
    a->settings = p->settings;
    operand_free(&operand);
}

static void attach_to_late_ones(struct program *p)
{
    bool everybody = p->settings->subprocesses;
    char *text = startup_read(&p->startup);
    bool wanted = text && (everybody || !somebody_has_come(text));
    for (size_t i = 0; i < p->descendants.count && wanted; i++) {
        struct descendant *d = &p->descendants.one[i];
        if (!is_late(p, d, clock_ns(CLOCK_MONOTONIC)) || descendant_has_come(d, text))
            continue;
        attach(p, d);
        wanted = everybody;
    }
    free(text);
}

static bool any_late(const struct program *p)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < p->descendants.count; i++)
        if (is_late(p, &p->descendants.one[i], now))
            return true;
    return false;
}

uint64_t program_attend(struct program *p)
{
    uint64_t pause = descendants_look(&p->descendants);
    if (any_late(p))
        attach_to_late_ones(p);
    uint64_t until_look = keeping_go_on(&p->keeping, &p->startup);
    return until_look < pause ? until_look : pause;
}

static uint64_t look(void *program) { return program_attend(program); }

void program_await(struct program *p) { job_wait(&p->job, look, p); }
