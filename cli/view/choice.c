#include "choice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "seen_session.h"
#include "settings.h"
#include "units.h"

#define LISTED 12

struct choice choice_make(const struct settings *s)
{
    const char *text = s->consumer;
    enum choice_of of = !text ? CHOICE_DEFAULT : strcmp(text, "all") == 0 ? CHOICE_EVERYTHING : CHOICE_CONSUMER;
    return (struct choice){of, text, s->command};
}

int choice_check(const struct settings *s)
{
    uint64_t number;
    if (!s->consumer || !s->subprocesses || !units_read_count(s->consumer, &number))
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "%s: --consumer %s is a number, which only one process has\n"
                "with --subprocesses it takes a name or a kind: session, attached, collectors, profiler, yappi\n"
                "tscap status %s",
                s->command, s->consumer, s->operand);
}

/* ---- finding ---- */

/* As it is now, not what it was before its selection changed. */
static bool is_there(const struct consumer *c) { return c->number && !(c->flags & CONSUMER_FORMER); }

static bool fits(const struct consumer *c, const char *text)
{
    uint64_t number;
    if (!is_there(c))
        return false;
    if (units_read_count(text, &number))
        return c->number == number;
    return strcmp(c->name, text) == 0 || strcmp(consumer_kind_name(c->kind), text) == 0;
}

int choice_find(const struct choice *c, const struct audiences *a, uint32_t *number)
{
    uint32_t found = 0;
    if (*number && audiences_consumer(a, *number))
        return 0;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++) {
        if (!fits(&a->consumer[i], c->text))
            continue;
        if (found)
            return -ENOTUNIQ;
        found = a->consumer[i].number;
    }
    if (!found)
        return -ENODATA;
    *number = found;
    return 0;
}

/* One that is gone sees nothing. */
struct audience_view choice_view(enum choice_of of, const struct snapshot *s, uint32_t number)
{
    struct audience_view v = {.audiences = NULL};
    if (of == CHOICE_DEFAULT)
        v = audiences_view_default(&s->audiences);
    else if (of == CHOICE_CONSUMER)
        audiences_view(&s->audiences, number, &v);
    else if (s->header.consumer_turn)
        v = audiences_view_everything(&s->audiences);
    return v;
}

/* ---- what is seen ---- */

static const struct consumer *seen_by_number(const struct audience_view *v, uint32_t number)
{
    unsigned i = 0;
    const struct consumer *c;
    while ((c = audience_view_next(v, &i)) && c->number != number)
        ;
    return c;
}

/* What is seen only grows where one comes, and nothing is lost where one goes. */
bool choice_breaks(const struct audience_view *now, const struct audience_view *before)
{
    if (!now->audiences != !before->audiences)
        return true;
    unsigned i = 0, same = 0, all = 0;
    for (const struct consumer *c; (c = audience_view_next(before, &i)); all++) {
        const struct consumer *later = seen_by_number(now, c->number);
        if (later && later->zero != c->zero)
            return true;
        same += later != NULL;
    }
    return all && !same && now->slots;
}

struct session_state choice_session(enum choice_of of, const struct audience_view *v, const struct session_state *s)
{
    return of == CHOICE_CONSUMER ? seen_session_of_one(v, s) : seen_session(v, s);
}

/* A name that says no more than the kind is left out. */
static size_t write_one(const struct consumer *c, const char *lead, char *buffer, size_t size)
{
    const char *kind = consumer_kind_name(c->kind), *name = strcmp(c->name, kind) == 0 ? "" : c->name;
    return (size_t)snprintf(buffer, size, "%s%" PRIu32 " %s%s%s", lead, c->number, kind, name[0] ? " " : "", name);
}

void choice_name(const struct audience_view *v, uint32_t number, char *buffer, size_t size)
{
    size_t used = 0;
    unsigned i = 0;
    buffer[0] = '\0';
    for (const struct consumer *c; used < size && (c = audience_view_next(v, &i));)
        used += write_one(c, used ? ", " : "", buffer + used, size - used);
    if (!used && number)
        snprintf(buffer, size, "%" PRIu32 ", which is gone", number);
    else if (!used)
        snprintf(buffer, size, "nobody");
}

bool choice_leaves_out(const struct audience_view *v)
{
    for (unsigned i = 0; v->audiences && i < SEGMENT_CONSUMERS; i++)
        if (v->audiences->consumer[i].number && !(v->slots >> i & 1))
            return true;
    return false;
}

/* ---- why nothing was found ---- */

/* A line each, those that fit or all there are; returns the number of one. */
static uint32_t list(const struct audiences *a, const char *text, char *buffer, size_t size)
{
    uint32_t last = 0;
    size_t used = 0, listed = 0;
    buffer[0] = '\0';
    for (unsigned i = 0; i < SEGMENT_CONSUMERS && used < size && listed < LISTED; i++) {
        const struct consumer *c = &a->consumer[i];
        if (!is_there(c) || (text && !fits(c, text)))
            continue;
        used += (size_t)snprintf(buffer + used, size - used, "%7" PRIu32 "  %s %s\n", c->number, consumer_kind_name(c->kind), c->name);
        last = c->number;
        listed++;
    }
    return last;
}

int choice_fail(const struct choice *c, const struct audiences *a, const char *operand, int error)
{
    char lines[LISTED * 128];
    bool several = error == -ENOTUNIQ;
    uint32_t one = list(a, several ? c->text : NULL, lines, sizeof lines);
    if (several)
        return fail(EXIT_USAGE,
                    "'%s' fits several consumers of %s\n"
                    "%stscap %s %s --consumer %" PRIu32,
                    c->text, operand, lines, c->command, operand, one);
    if (!one)
        return fail(EXIT_NO_PROCESS,
                    "%s has no consumer '%s'\n"
                    "it has none at all: nobody has wanted records of it yet\n"
                    "tscap %s %s",
                    operand, c->text, c->command, operand);
    return fail(EXIT_NO_PROCESS,
                "%s has no consumer '%s'\n"
                "by number, kind and name it has\n"
                "%stscap %s %s --consumer %" PRIu32,
                operand, c->text, lines, c->command, operand, one);
}
