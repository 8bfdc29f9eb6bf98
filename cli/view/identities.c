#include "identities.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME 2048 /* of the longest string a snapshot gives */

struct identity {
    uint64_t hash;
    uint32_t number;
    char text[];
};

/* FNV-1a */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
    return hash;
}

/* Names have no control characters, so those can stand between them. NULL: no memory. */
static struct identity *identity_new(const struct snapshot *s, const struct site_record *r)
{
    char name[NAME], qualname[NAME], module[NAME], file[NAME], text[4 * NAME + 32];
    int n = snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%" PRIu32 "\n%" PRIu32, snapshot_string(s, r->name, name, sizeof name),
                     snapshot_string(s, r->qualname, qualname, sizeof qualname), snapshot_string(s, r->module, module, sizeof module),
                     snapshot_string(s, r->file, file, sizeof file), r->line, r->kind);
    struct identity *i = malloc(sizeof *i + (size_t)n + 1);
    if (!i)
        return NULL;
    memcpy(i->text, text, (size_t)n + 1);
    i->hash = hash_of(text);
    i->number = 0;
    return i;
}

/* Where it is, or where it would have to be. */
static struct identity **find(const struct identities *x, const struct identity *i)
{
    uint32_t at = (uint32_t)i->hash & (x->room - 1);
    while (x->slot[at] && (x->slot[at]->hash != i->hash || strcmp(x->slot[at]->text, i->text) != 0))
        at = (at + 1) & (x->room - 1);
    return &x->slot[at];
}

static bool make_room(struct identities *x)
{
    struct identities more = {.room = x->room ? 2 * x->room : 256, .count = x->count};
    if (2 * x->count < x->room)
        return true;
    more.slot = calloc(more.room, sizeof *more.slot);
    if (!more.slot)
        return false;
    for (uint32_t k = 0; k < x->room; k++)
        if (x->slot[k])
            *find(&more, x->slot[k]) = x->slot[k];
    free(x->slot);
    *x = more;
    return true;
}

/* False: no memory. */
static bool give_number(struct identities *x, const struct snapshot *s, const struct site_record *r, uint32_t *number, uint64_t *refused)
{
    struct identity *i = make_room(x) ? identity_new(s, r) : NULL;
    if (!i)
        return false;
    struct identity **place = find(x, i);
    if (!*place && x->count < IDENTITIES_MAX) {
        i->number = ++x->count;
        *place = i;
    }
    *number = *place ? (*place)->number : 0;
    *refused += !*place;
    if (*place != i)
        free(i);
    return true;
}

uint32_t *identities_of(struct identities *x, const struct snapshot *s, uint64_t *refused)
{
    uint32_t *numbers = calloc((size_t)s->sites + 1, sizeof *numbers);
    bool whole = numbers != NULL;
    for (uint32_t id = 1; whole && id <= s->sites; id++)
        if (s->site[id].kind != SITE_OWN)
            whole = give_number(x, s, &s->site[id], &numbers[id], refused);
    if (!whole) {
        free(numbers);
        numbers = NULL;
    }
    return numbers;
}

void identities_free(struct identities *x)
{
    for (uint32_t i = 0; i < x->room; i++)
        free(x->slot[i]);
    free(x->slot);
    *x = (struct identities){0};
}
