#include "keeping.h"

#include <stdlib.h>

#include "clock.h"
#include "message.h"
#include "run_file.h"
#include "saving.h"
#include "settings.h"
#include "startup.h"

void keeping_open(struct keeping *k, const struct settings *s, struct saving *saving, bool writes)
{
    *k = (struct keeping){.settings = s, .saving = saving, .writes = writes};
    pace_begin(&k->pace, clock_ns(CLOCK_MONOTONIC));
}

static void forget_source(struct keeping *k)
{
    if (!k->found)
        return;
    source_free(&k->source);
    k->found = false;
    saving_begin_anew(k->saving);
}

void keeping_free(struct keeping *k)
{
    forget_source(k);
    if (k->placed)
        places_close(&k->places);
    k->placed = false;
}

/* ---- finding it ---- */

static bool first_line(const struct startup *startup, struct run_file_line *line)
{
    char *text = startup_read(startup);
    bool found = false;
    for (size_t i = 0; text && !found && run_file_line(text, i, line); i++)
        found = line->start_time;
    free(text);
    return found;
}

static const struct subject *find_subject(const struct subjects *all, const struct run_file_line *line)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].inner == line->pid && all->subject[i].start_time == line->start_time)
            return &all->subject[i];
    return NULL;
}

static void open_source(struct keeping *k, const struct subject *subject)
{
    const struct choice choice = choice_make(k->settings);
    k->found = source_open(&k->source, &k->places, subject, k->settings->subprocesses, &choice) == EXIT_OK;
    k->breaks = k->source.breaks;
    source_hold(&k->source);
    if (!k->found)
        source_free(&k->source);
}

static void find_source(struct keeping *k, const struct startup *startup)
{
    struct run_file_line line;
    struct subjects all = {0};
    if (!first_line(startup, &line))
        return;
    k->placed = k->placed || places_open_own(&k->places) == EXIT_OK;
    if (!k->placed)
        return;
    const struct subject *subject = subjects_find(&all, &k->places) == 0 ? find_subject(&all, &line) : NULL;
    if (subject && subject_ready(subject))
        open_source(k, subject);
    subjects_free(&all);
}

/* ---- a look ---- */

/* A file of the default name is made only if there is something, and not where one is that must stay: that is told in the end. */
static bool has_file(struct keeping *k, const struct capture *c)
{
    struct saving *s = k->saving;
    if (s->fd < 0 && c->profile.calls && saving_open(s, k->settings, c->subject->pid, c->subject->command) != EXIT_OK)
        k->over = true;
    return s->fd >= 0;
}

static void write_look(struct keeping *k, const struct capture *c)
{
    if (c->breaks != k->breaks) /* another program, or a reset */
        saving_begin_anew(k->saving);
    k->breaks = c->breaks;
    if (has_file(k, c) && saving_can_begin_anew(k->saving) && saving_add(k->saving, c, NULL) != EXIT_OK)
        k->over = true;
}

static void look(struct keeping *k)
{
    struct capture c;
    if (source_look(&k->source, &c) < 0) {
        forget_source(k); /* its segment has gone: another may come, of another program */
        return;
    }
    if (c.profile.complete)
        write_look(k, &c);
    capture_free(&c);
}

/* What the program writes to the terminal meanwhile is not interrupted. */
uint64_t keeping_go_on(struct keeping *k, const struct startup *startup)
{
    char unsaid[MESSAGE_MAX];
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (k->over)
        return UINT64_MAX;
    if (now < k->pace.due)
        return k->pace.due - now;
    message_keep(unsaid, sizeof unsaid);
    if (!k->found)
        find_source(k, startup);
    if (k->found && k->writes)
        look(k);
    message_keep(NULL, 0);
    uint64_t after = clock_ns(CLOCK_MONOTONIC);
    pace_go_on(&k->pace, now, after);
    return k->pace.due - after;
}

const struct subject *keeping_subject(const struct keeping *k) { return k->found ? &k->source.member[0]->subject : NULL; }

struct source *keeping_source(struct keeping *k, const struct subject *of)
{
    const struct subject *root = k->found ? source_root(&k->source) : NULL;
    if (root && root->pid == of->pid && root->start_time == of->start_time)
        return &k->source;
    forget_source(k);
    saving_begin_anew(k->saving);
    return NULL;
}
