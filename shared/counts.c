#include "counts.h"

#include <stdlib.h>

static uint32_t place(const struct counts *c, uint64_t key)
{
    uint64_t h = (key ^ key >> 29) * 0x9e3779b97f4a7c15ull;
    uint32_t i = (uint32_t)(h >> 32) & (c->room - 1);
    while (c->key[i] && c->key[i] != key)
        i = (i + 1) & (c->room - 1);
    return i;
}

static bool allocate(struct counts *c, uint32_t room)
{
    c->key = calloc(room, sizeof *c->key);
    c->count = calloc(room, sizeof *c->count);
    c->room = room;
    c->used = 0;
    if (c->key && c->count)
        return true;
    counts_free(c);
    return false;
}

bool counts_init(struct counts *c) { return allocate(c, 1024); }

void counts_free(struct counts *c)
{
    free(c->key);
    free(c->count);
    *c = (struct counts){0};
}

uint32_t counts_get(const struct counts *c, uint64_t key) { return c->count[place(c, key)]; }

static bool grow(struct counts *c)
{
    struct counts old = *c;
    if (!allocate(c, old.room * 2)) {
        *c = old;
        return false;
    }
    for (uint32_t i = 0; i < old.room; i++)
        if (old.count[i]) { /* keys at 0 are left behind */
            uint32_t p = place(c, old.key[i]);
            c->key[p] = old.key[i];
            c->count[p] = old.count[i];
            c->used++;
        }
    counts_free(&old);
    return true;
}

bool counts_set(struct counts *c, uint64_t key, uint32_t count)
{
    if (c->used >= c->room / 4 * 3 && !grow(c))
        return false;
    uint32_t i = place(c, key);
    if (!c->key[i]) {
        c->key[i] = key;
        c->used++;
    }
    c->count[i] = count;
    return true;
}

bool counts_increment(struct counts *c, uint64_t key) { return counts_set(c, key, counts_get(c, key) + 1); }

void counts_decrement(struct counts *c, uint64_t key)
{
    uint32_t i = place(c, key);
    if (c->key[i] && c->count[i])
        c->count[i]--;
}
