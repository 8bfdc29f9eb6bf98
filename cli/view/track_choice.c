#include "track_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "units.h"

#define LISTED 16

/* ---- what fits ---- */

struct wish {
    const char *text;
    bool by_name; /* the track; else by its id */
};

static bool profiler_fits(const struct consumer *c, const char *text, size_t length)
{
    char name[sizeof c->name];
    uint64_t number;
    if (length >= sizeof name)
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    return units_read_count(name, &number) ? c->number == number : strcmp(c->name, name) == 0;
}

static bool fits(const struct track_line *l, const struct wish *w)
{
    for (const char *colon = strchr(w->text, ':'); colon && l->track; colon = strchr(colon + 1, ':'))
        if (strcmp(w->by_name ? l->name : l->id, colon + 1) == 0 && colon[1] && profiler_fits(l->profiler, w->text, (size_t)(colon - w->text)))
            return true;
    return false;
}

/* The next line from `i` on that is the first of its track, and fits; NULL: any. */
static size_t next_track(const struct track_list *list, size_t i, const struct wish *w)
{
    for (; i < list->count; i++) {
        const struct track_line *l = &list->line[i];
        bool first = i == 0 || !track_list_same_track(l - 1, l);
        if (l->track && first && (!w || fits(l, w)))
            return i;
    }
    return i;
}

/* ---- why nothing was found ---- */

/* A line each. */
static void list_tracks(const struct track_list *list, const struct wish *w, char *buffer, size_t size)
{
    size_t used = 0, listed = 0;
    buffer[0] = '\0';
    for (size_t i = next_track(list, 0, w); i < list->count && used < size; i = next_track(list, i + 1, w), listed++) {
        const struct track_line *l = &list->line[i];
        if (listed == LISTED) {
            used += (size_t)snprintf(buffer + used, size - used, "and more\n");
            break;
        }
        used += (size_t)snprintf(buffer + used, size - used, "%" PRIu32 ":%.80s  %s%s%.80s\n", l->profiler->number, l->id, l->profiler->name,
                                 l->name[0] ? ", " : "", l->name);
    }
}

static int no_track(const struct track_list *list, const char *text, const char *operand)
{
    char lines[LISTED * 256];
    list_tracks(list, NULL, lines, sizeof lines);
    if (!lines[0])
        return fail(EXIT_NO_PROCESS,
                    "%s has no track '%s'\n"
                    "it has none at all: %s\n"
                    "tscap tracks %s",
                    operand, text, list->count ? "nothing is in its profilers yet" : "no Profiler, or none that the compiled recorder serves", operand);
    return fail(EXIT_NO_PROCESS,
                "%s has no track '%s'\n"
                "by profiler and track it has\n"
                "%stscap tracks %s",
                operand, text, lines, operand);
}

static int several_tracks(const struct track_list *list, const struct wish *w, const char *option, const char *operand)
{
    char lines[LISTED * 256];
    const struct track_line *first = &list->line[next_track(list, 0, w)];
    list_tracks(list, w, lines, sizeof lines);
    return fail(EXIT_USAGE,
                "'%s' fits several tracks of %s\n"
                "%stscap tracks %s --%s %" PRIu32 ":%.80s",
                w->text, operand, lines, operand, option, first->profiler->number, first->id);
}

static int no_pair(const char *option, const char *text, const char *operand)
{
    return fail(EXIT_USAGE,
                "--%s: '%s' is no track\n"
                "it takes PROFILER:TRACK, each a number or a name\n"
                "tscap tracks %s",
                option, text, operand);
}

const struct track_line *track_choice_find(const struct track_list *list, const char *option, const char *text, const char *operand, int *code)
{
    struct wish w = {.text = text};
    const char *colon = strchr(text, ':');
    size_t found = next_track(list, 0, &w);
    if (found == list->count) {
        w.by_name = true;
        found = next_track(list, 0, &w);
    }
    if (!colon || colon == text || !colon[1])
        *code = no_pair(option, text, operand);
    else if (found == list->count)
        *code = no_track(list, text, operand);
    else if (next_track(list, found + 1, &w) < list->count)
        *code = several_tracks(list, &w, option, operand);
    else
        return &list->line[found];
    return NULL;
}
