#include "ending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "format.h"
#include "lineage.h"
#include "message.h"
#include "program.h"
#include "run_file.h"
#include "rundir.h"
#include "source.h"
#include "tenant.h"

#define ROWS 10
#define NAMED 8

struct ending {
    struct program *program;
    const char *text; /* of the run's file */
    struct places places;
    struct subjects all;
    size_t shown;
    bool told; /* why somebody was not recorded */
};

/* ---- who came ---- */

static bool is_new(const char *text, size_t n, const struct run_file_line *line)
{
    struct run_file_line before;
    for (size_t i = 0; i < n && run_file_line(text, i, &before); i++)
        if (before.pid == line->pid && before.start_time == line->start_time)
            return false;
    return true;
}

static struct subject *find_subject(const struct ending *e, const struct run_file_line *line)
{
    for (size_t i = 0; i < e->all.count; i++)
        if (e->all.subject[i].inner == line->pid && e->all.subject[i].start_time == line->start_time)
            return &e->all.subject[i];
    return NULL;
}

static const struct descendant *find_descendant(const struct ending *e, const struct run_file_line *line)
{
    const struct descendants *d = &e->program->descendants;
    for (size_t i = 0; i < d->count; i++)
        if (d->one[i].inner == line->pid && d->one[i].start_time == line->start_time)
            return &d->one[i];
    return NULL;
}

/* ---- what was recorded ---- */

static void show_table(const struct ending *e, const struct capture *c)
{
    const struct settings plain = {.limit = setting_or(e->program->settings->limit, ROWS), .width = UNSET, .max_loss = UNSET};
    if (!format_choose(FORMAT_PROFILE, &plain)->write(c, &plain))
        note("the table is not whole: out of memory");
}

/* Where there is nothing to see, say what would change that. */
static void explain_emptiness(const struct ending *e, const struct capture *c)
{
    const struct settings *s = e->program->settings;
    if (c->profile.calls || c->profile.lost || !c->profile.complete)
        return;
    if (s->match.count)
        note("no function that --match names was called");
    else if (!s->all)
        note("no function of the program's own was called: tscap run -a records the standard library and what is installed, too");
}

/* Into a file of the default name only if there is something: nobody asked for it; and who looks on sees it without. */
static void save(const struct ending *e, const struct capture *c)
{
    struct saving *s = &e->program->saving;
    const struct settings *settings = e->program->settings;
    if (!settings->output && (settings->run || !c->profile.calls))
        return;
    int code = s->fd >= 0 ? EXIT_OK : saving_open(s, settings, c->subject->pid, c->subject->command);
    if (code == EXIT_OK)
        code = saving_add(s, c, NULL);
    if (code == EXIT_OK)
        saving_finish(s);
}

/* What is in the file already was seen by the source that is kept, and goes on with its numbers. */
static int take(struct ending *e, const struct subject *subject, struct source *own, struct capture *c)
{
    const struct choice choice = choice_make(e->program->settings);
    struct source *kept = e->shown ? NULL : keeping_source(&e->program->keeping, subject);
    int code = kept ? EXIT_OK : source_open(own, &e->places, subject, e->program->settings->subprocesses, &choice);
    if (code == EXIT_OK)
        code = source_take(kept ? kept : own, c);
    if (code == EXIT_OK && kept && c->breaks != e->program->keeping.breaks) /* another program, or a reset, since the last look */
        saving_begin_anew(&e->program->saving);
    return code;
}

static void show(struct ending *e, const struct subject *subject)
{
    struct capture c;
    struct source source = {0};
    int code = take(e, subject, &source, &c);
    if (code == EXIT_OK) {
        if (e->shown++)
            putchar('\n');
        show_table(e, &c);
        explain_emptiness(e, &c);
        capture_check_loss(&c, 0);
        if (e->shown == 1)
            save(e, &c);
        else
            note("process %d is not in the file: it does not descend from the first", (int)subject->pid);
        if (subject->alive)
            note("process %1$d goes on, and is recorded: tscap dump %1$d; tscap detach %1$d", (int)subject->pid);
        capture_free(&c);
    }
    source_free(&source);
}

/* With -s one table is that of a process and of all that descend from it: does this one descend from another that came? */
static bool is_below_another(const struct ending *e, const struct ancestor *lineage)
{
    struct run_file_line line;
    for (size_t i = 0; run_file_line(e->text, i, &line); i++)
        if (line.start_time && lineage_has(lineage, line.pid, line.start_time))
            return true;
    return false;
}

static void show_all(struct ending *e)
{
    struct run_file_line line;
    bool everybody = e->program->settings->subprocesses, first = true;
    for (size_t i = 0; run_file_line(e->text, i, &line) && (first || everybody); i++) {
        if (!line.start_time || !is_new(e->text, i, &line))
            continue;
        const struct subject *s = find_subject(e, &line);
        first = false;
        if (s && !(everybody && is_below_another(e, s->header.lineage)))
            show(e, s);
    }
}

/* ---- what was not ---- */

static void tell_problems(struct ending *e)
{
    struct run_file_line line;
    for (size_t i = 0; run_file_line(e->text, i, &line); i++)
        if (!line.start_time) {
            note("process %d is not recorded: %s", (int)line.pid, line.problem);
            e->told = true;
        }
}

struct names {
    size_t count;
    char text[1024];
};

static void add_name(struct names *n, pid_t pid, const char *command)
{
    size_t used = strlen(n->text), room = sizeof n->text - used;
    const char *before = used ? ", " : "";
    if (n->count++ >= NAMED)
        return;
    if (*command)
        snprintf(n->text + used, room, "%s%d (%.100s)", before, (int)pid, command);
    else
        snprintf(n->text + used, room, "%s%d", before, (int)pid);
}

/* A fork of one that is recorded does not come, and is recorded all the same. */
static bool is_recorded(const struct ending *e, const struct descendant *d)
{
    for (size_t i = 0; i < e->all.count; i++)
        if (e->all.subject[i].pid == d->pid && e->all.subject[i].start_time == d->start_time)
            return true;
    return false;
}

/* Others that came, and were told that they are not the first. */
static void add_later_ones(const struct ending *e, struct names *n)
{
    struct run_file_line line;
    bool first = true;
    for (size_t i = 0; run_file_line(e->text, i, &line); i++) {
        if (!line.start_time || !is_new(e->text, i, &line))
            continue;
        const struct descendant *d = find_descendant(e, &line);
        if (!first)
            add_name(n, line.pid, d ? d->command : "");
        first = false;
    }
}

/* Those that were only seen. */
static void add_seen_ones(const struct ending *e, struct names *n)
{
    bool everybody = e->program->settings->subprocesses;
    const struct descendants *all = &e->program->descendants;
    for (size_t i = 0; i < all->count; i++) {
        const struct descendant *d = &all->one[i];
        if (d->python && !descendant_has_come(d, e->text) && !(everybody && is_recorded(e, d)))
            add_name(n, d->pid, d->command);
    }
}

static bool has_begun(const struct ending *e)
{
    struct run_file_line line;
    for (size_t i = 0; run_file_line(e->text, i, &line); i++)
        if (line.start_time)
            return true;
    return false;
}

/* Where one was recorded, those besides it are there because of that, but with -s. */
static void tell_others(struct ending *e)
{
    struct names n = {0};
    bool others = !e->program->settings->subprocesses && has_begun(e);
    if (others)
        add_later_ones(e, &n);
    add_seen_ones(e, &n);
    if (n.count > NAMED)
        snprintf(n.text + strlen(n.text), sizeof n.text - strlen(n.text), " and %zu more", n.count - NAMED);
    if (n.count && others)
        note("other Python processes were not recorded: %s; tscap run -s records them, too", n.text);
    else if (n.count)
        note("not recorded: %s: what does not come by itself, without our environment or because of -I, -E, -S, "
             "must last until it is attached to", n.text);
    e->told |= n.count;
}

static void tell_nothing(const struct ending *e)
{
    struct run_file_line line;
    if (e->shown || e->told)
        return;
    if (run_file_line(e->text, 0, &line))
        note("nothing of process %d is left: it was detached from, or has become another program", (int)line.pid);
    else
        note("nothing was recorded: no Python process has begun, or none that lasted until it could be attached to");
}

/* ---- what is left behind ---- */

/* Without -s nobody asked for what forks of it recorded by themselves, and that stays; what recorded nothing is in the way only. */
static int clear_below(void *ending, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    const struct ending *e = ending;
    const struct tenant t = {dirfd, pid, start_time};
    struct segment_header h;
    (void)name;
    if (!tenant_header(&t, &h) || !is_below_another(e, h.lineage))
        return 0;
    if ((e->program->settings->subprocesses || !atomic_load(&h.session_started)) && tenant_has_left(&t))
        tenant_remove(&t, NULL, NULL);
    return 0;
}

/* Who lives removes its own at its end, once the run's file has gone. */
static void clear(const struct ending *e)
{
    struct run_file_line line;
    const struct startup *u = &e->program->startup;
    for (size_t i = 0; run_file_line(e->text, i, &line); i++) {
        const struct tenant t = {u->dirfd, line.pid, line.start_time};
        if (line.start_time && tenant_has_left(&t))
            tenant_remove(&t, NULL, NULL);
    }
    rundir_each(u->dirfd, clear_below, (void *)e);
}

/* What tables are printed on has been the command's until now: nothing of ours gets into what it wrote there. */
static void use_stderr(void)
{
    fflush(stdout);
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

void ending_tell(struct program *p)
{
    char *text = startup_read(&p->startup);
    struct ending e = {.program = p, .text = text};
    if (!text)
        return;
    use_stderr();
    if (places_open_own(&e.places) == EXIT_OK && subjects_find(&e.all, &e.places) == 0) {
        show_all(&e);
        tell_problems(&e);
        tell_others(&e);
        tell_nothing(&e);
        fflush(stdout);
        startup_end(&p->startup);
        clear(&e);
    }
    subjects_free(&e.all);
    places_close(&e.places);
    free(text);
}
