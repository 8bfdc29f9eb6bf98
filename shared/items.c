#include "items.h"

#include <stdlib.h>
#include <string.h>

#include "word.h"

static uint32_t hash(uint64_t key)
{
    key ^= key >> 32; /* the multiplication below spreads upwards only */
    return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32);
}

static uint32_t *bucket(const struct items *t, uint32_t i) { return &t->segment[i / ITEMS_SEGMENT][i % ITEMS_SEGMENT]; }

static uint32_t bucket_of(const struct items *t, uint64_t key)
{
    uint32_t h = hash(key), i = h & (2 * t->low - 1);
    return i < t->buckets ? i : h & (t->low - 1);
}

static struct item *at(const struct items *t, segment_ref ref) { return segment_at(t->base, ref); }

/* Links are the owner's alone, but they lie in pages that readers copy: relaxed atomics. */
static segment_ref link_get(const struct item *i) { return word_get(&i->next); }
static void link_set(struct item *i, segment_ref ref) { word_set(&i->next, ref); }
static uint64_t key_of(const struct item *i) { return word_get(&i->key); }

struct items *items_new(void *base)
{
    struct items *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->base = base;
    t->buckets = t->low = ITEMS_SEGMENT;
    t->segment[0] = calloc(ITEMS_SEGMENT, sizeof *t->segment[0]);
    if (!t->segment[0]) {
        free(t);
        return NULL;
    }
    return t;
}

void items_delete(struct items *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < ITEMS_SEGMENTS_MAX; i++)
        free(t->segment[i]);
    free(t);
}

void items_clear(struct items *t)
{
    for (uint32_t i = 0; i * ITEMS_SEGMENT < t->buckets; i++)
        memset(t->segment[i], 0, ITEMS_SEGMENT * sizeof *t->segment[i]);
    t->count = 0;
}

void *items_find(const struct items *t, uint64_t key)
{
    for (segment_ref r = *bucket(t, bucket_of(t, key)); r; r = link_get(at(t, r)))
        if (key_of(at(t, r)) == key)
            return at(t, r);
    return NULL;
}

static bool add_bucket(struct items *t)
{
    uint32_t i = t->buckets / ITEMS_SEGMENT;
    if (i >= ITEMS_SEGMENTS_MAX)
        return false;
    if (!t->segment[i])
        t->segment[i] = calloc(ITEMS_SEGMENT, sizeof *t->segment[i]);
    if (!t->segment[i])
        return false;
    t->buckets++;
    return true;
}

/* Moves what belongs there from the bucket whose turn it is to a new last bucket. */
static void split(struct items *t)
{
    uint32_t from = t->buckets - t->low;
    if (!add_bucket(t))
        return;
    segment_ref r = *bucket(t, from);
    *bucket(t, from) = 0;
    while (r) {
        segment_ref next = link_get(at(t, r));
        uint32_t *head = bucket(t, bucket_of(t, key_of(at(t, r))));
        link_set(at(t, r), *head);
        *head = r;
        r = next;
    }
    if (t->buckets == 2 * t->low)
        t->low = t->buckets;
}

void items_insert(struct items *t, struct item *item)
{
    uint32_t *head = bucket(t, bucket_of(t, key_of(item)));
    link_set(item, *head);
    *head = segment_ref_of(t->base, item);
    if (++t->count > t->buckets)
        split(t);
}

void items_remove(struct items *t, struct item *item)
{
    uint32_t *head = bucket(t, bucket_of(t, key_of(item)));
    segment_ref ref = segment_ref_of(t->base, item);
    struct item *before = NULL;
    for (segment_ref r = *head; r; before = at(t, r), r = link_get(before)) {
        if (r != ref)
            continue;
        if (before)
            link_set(before, link_get(item));
        else
            *head = link_get(item);
        t->count--;
        return;
    }
}
