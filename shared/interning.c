#include "interning.h"

#include <stdlib.h>
#include <string.h>

struct interned {
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

/* Where it is, or where it would have to be. */
static struct interned **find(const struct interning *x, uint64_t hash, const char *text)
{
    uint32_t at = (uint32_t)hash & (x->room - 1);
    while (x->slot[at] && (x->slot[at]->hash != hash || strcmp(x->slot[at]->text, text) != 0))
        at = (at + 1) & (x->room - 1);
    return &x->slot[at];
}

static bool make_room(struct interning *x)
{
    struct interning more = {.room = x->room ? 2 * x->room : 256, .count = x->count};
    if (2 * x->count < x->room)
        return true;
    more.slot = calloc(more.room, sizeof *more.slot);
    if (!more.slot)
        return false;
    for (uint32_t i = 0; i < x->room; i++)
        if (x->slot[i])
            *find(&more, x->slot[i]->hash, x->slot[i]->text) = x->slot[i];
    free(x->slot);
    *x = more;
    return true;
}

uint32_t interning_number(struct interning *x, const char *text, bool *fresh)
{
    uint64_t hash = hash_of(text);
    *fresh = false;
    if (!make_room(x))
        return 0;
    struct interned **place = find(x, hash, text);
    if (*place)
        return (*place)->number;
    size_t bytes = strlen(text) + 1;
    struct interned *made = malloc(sizeof *made + bytes);
    if (!made)
        return 0;
    made->hash = hash;
    made->number = ++x->count;
    memcpy(made->text, text, bytes);
    *place = made;
    *fresh = true;
    return made->number;
}

void interning_free(struct interning *x)
{
    for (uint32_t i = 0; i < x->room; i++)
        free(x->slot[i]);
    free(x->slot);
    *x = (struct interning){0};
}
