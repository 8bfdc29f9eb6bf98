#include "about.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "choice.h"
#include "cputime.h"
#include "recording.h"
#include "report.h"
#include "source.h"

/* ---- facts ---- */

static void add(char *buffer, size_t size, const char *text)
{
    size_t used = strlen(buffer);
    snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", text);
}

/* Of a capture file: those notes that have this key. */
static void add_notes(const struct capture *c, const char *key, const char *format, char *buffer, size_t size)
{
    const struct recording *r = c->source->recording;
    for (uint32_t i = 0; r && i < r->notes; i++)
        if (strcmp(r->note[i].key, key) == 0) {
            char text[ABOUT_TEXT];
            snprintf(text, sizeof text, "%s%s", format, r->note[i].value);
            add(buffer, size, text);
        }
}

static void get_command(const struct capture *c, char *buffer, size_t size)
{
    bool left_out = c->source->recording && c->source->recording->redacted;
    snprintf(buffer, size, "%s", left_out ? "" : subject_name(c->subject));
}

static void get_python(const struct capture *c, char *buffer, size_t size) { snprintf(buffer, size, "%s", c->snapshot.header.python); }
static void get_version(const struct capture *c, char *buffer, size_t size) { snprintf(buffer, size, "%s", c->snapshot.header.version); }

static void get_clock(const struct capture *c, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", clock_source_name(c->snapshot.header.clock_source));
}

static void get_cpu(const struct capture *c, char *buffer, size_t size)
{
    uint32_t mode = c->snapshot.header.cpu_mode;
    snprintf(buffer, size, "%s", mode == CPUTIME_NONE_YET ? "" : cputime_mode_name(mode));
}

static void get_system(const struct capture *c, char *buffer, size_t size)
{
    struct utsname system;
    if (c->source->recording)
        add_notes(c, "system", "", buffer, size);
    else if (uname(&system) == 0)
        snprintf(buffer, size, "%s %s %s", system.sysname, system.release, system.machine);
}

static void get_cpus(const struct capture *c, char *buffer, size_t size)
{
    if (c->source->recording)
        add_notes(c, "cpus", "", buffer, size);
    else
        snprintf(buffer, size, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
}

static void get_view(const struct capture *c, char *buffer, size_t size)
{
    char view[CHOICE_TEXT];
    if (!source_has_other_views(c->source)) {
        snprintf(buffer, size, "all calls");
        return;
    }
    source_name_view(c->source, view, sizeof view);
    snprintf(buffer, size, "%s", view);
}

/* What the root's consumers select, and what the file says of how it was made. */
static void get_selection(const struct capture *c, char *buffer, size_t size)
{
    unsigned i = 0;
    for (const struct consumer *k; (k = audience_view_next(&c->source->member[0]->view, &i));)
        if (k->selected[0])
            add(buffer, size, k->selected);
    add_notes(c, "match", "--match ", buffer, size);
    add_notes(c, "exclude", "--exclude ", buffer, size);
    add_notes(c, "all", "--all ", buffer, size);
    add_notes(c, "builtins", "--builtins ", buffer, size);
    if (!buffer[0])
        snprintf(buffer, size, "what is decorated");
}

static void get_processes(const struct capture *c, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", c->whole_tree ? "with subprocesses" : "one");
}

static void get_state(const struct capture *c, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", profile_gap(&c->profile) == PROFILE_WHOLE && !c->profile.lost ? "whole" : "calls are missing");
}

static const struct {
    const char *name;
    void (*get)(const struct capture *c, char *buffer, size_t size);
} facts[ABOUT_FACTS] = {
    {"command", get_command}, {"Python", get_python},   {"timestamp_capture", get_version}, {"clock", get_clock},
    {"CPU time by", get_cpu}, {"system", get_system},   {"CPUs", get_cpus},                 {"view", get_view},
    {"selection", get_selection}, {"processes", get_processes}, {"picture", get_state},
};

const char *about_fact_name(size_t fact) { return facts[fact].name; }

/* ---- a capture ---- */

static char *list_losses(const struct profile *p)
{
    char *text = NULL, line[REPORT_ITEM];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < loss_count; i++) {
        report_write_loss(&losses[i], p, line, sizeof line);
        if (line[0])
            fprintf(out, "%s\n", line);
    }
    if (!p->complete)
        fputs("not complete: some thread's or process' data could not be read\n", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

void about_make(struct about *a, const char *name, const struct capture *c)
{
    *a = (struct about){.duration = capture_ns(c, capture_span(c)), .lost = c->profile.lost, .losses = list_losses(&c->profile)};
    a->whole = profile_gap(&c->profile) == PROFILE_WHOLE;
    snprintf(a->name, sizeof a->name, "%s", name);
    for (size_t i = 0; i < ABOUT_FACTS; i++)
        facts[i].get(c, a->fact[i], sizeof a->fact[i]);
}

void about_free(struct about *a) { free(a->losses); }

/* ---- several ---- */

bool about_agree(const struct about *a, size_t count, size_t fact)
{
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *text = a[i].fact[fact];
        if (text[0] && first && strcmp(text, first) != 0)
            return false;
        first = text[0] ? text : first;
    }
    return true;
}

void about_list(const struct about *a, size_t count, size_t fact, char *buffer, size_t size)
{
    buffer[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        bool told = !a[i].fact[fact][0];
        for (size_t k = 0; k < i && !told; k++)
            told = strcmp(a[i].fact[fact], a[k].fact[fact]) == 0;
        if (!told)
            add(buffer, size, a[i].fact[fact]);
    }
    if (!buffer[0])
        snprintf(buffer, size, "not known");
}

bool about_durations_differ(const struct about *a, size_t count)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = a[i].duration < least ? a[i].duration : least;
        most = a[i].duration > most ? a[i].duration : most;
    }
    return count && most / 2 > least;
}
