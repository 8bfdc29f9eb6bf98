#include "carried.h"

#include <stdlib.h>

#include "calls.h"
#include "recorder.h"

struct carried {
    struct waiting_call call;
    struct waiting at;    /* on which thread */
    uint64_t key;         /* of the generator */
    struct carried *next; /* of the same bucket: those of one generator are in a row, the outermost first */
};

#define BUCKETS 256u

static struct carried *bucket[BUCKETS];
static uint64_t count;

static struct carried **bucket_of(uint64_t key) { return &bucket[(key >> 4 ^ key >> 12) % BUCKETS]; }

static uint32_t generation(const struct writer *w) { return atomic_load_explicit(&w->lane->generation, memory_order_relaxed); }

/* The depth of the frame's call, if all above it are blocks; else 0. */
static uint32_t depth_below_blocks(const struct thread *t, const python_frame *frame)
{
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].id != frame && (t->open[depth].what & (OPEN_BLOCK | OPEN_COLLECTOR)) == OPEN_BLOCK)
        depth--;
    return depth && t->open[depth].id == frame && t->open[depth].what & OPEN_KEYED ? depth : 0;
}

static bool carry_top(struct thread *t, uint64_t key)
{
    struct carried *c = malloc(sizeof *c), **first = bucket_of(key);
    if (!c)
        return false;
    calls_suspend(t, &c->call);
    c->at = (struct waiting){.writer = t->writer, .generation = generation(t->writer), .since = t->writer->last};
    c->key = key;
    c->next = *first;
    *first = c;
    count++;
    return true;
}

void carried_wait(struct thread *t, const python_frame *frame)
{
    uint32_t depth = depth_below_blocks(t, frame);
    if (!depth)
        return;
    uint64_t key = python_generator_key(frame);
    bool can = true;
    while (can && t->writer->depth > depth) {
        calls_drop_ended(t);
        can = t->writer->depth > depth && carry_top(t, key);
    }
}

/* Those of one key, as they were suspended: the outermost first. NULL: none. */
static struct carried *take(uint64_t key)
{
    struct carried *taken = NULL, **last = &taken;
    for (struct carried **link = bucket_of(key), *c; count && (c = *link);) {
        if (c->key != key) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        c->next = NULL;
        *last = c;
        last = &c->next;
        count--;
    }
    return taken;
}

static void go_on(struct thread *t, const struct carried *c)
{
    const struct waiting_call *w = &c->call;
    if (c->at.writer == t->writer && c->at.generation == generation(t->writer)) {
        calls_resume(t, w);
        return;
    }
    calls_give_up(w); /* no collector encloses it there */
    if (calls_open(t, w->call.id, (uint32_t)w->call.what, w->call.what & ~(uint64_t)UINT32_MAX))
        writer_resume_moved(t->writer, (uint32_t)w->call.what, w->key, &c->at);
}

void carried_go_on(struct thread *t, const python_frame *frame)
{
    if (!count)
        return;
    for (struct carried *c = take(python_generator_key(frame)), *next; c; c = next) {
        next = c->next;
        go_on(t, c);
        free(c);
    }
}

static void drop_all(struct carried *c)
{
    for (struct carried *next; c; c = next) {
        next = c->next;
        calls_give_up(&c->call);
        free(c);
    }
}

void carried_drop(const python_frame *frame)
{
    if (count)
        drop_all(take(python_generator_key(frame)));
}

void carried_forget(void)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        drop_all(bucket[i]);
        bucket[i] = NULL;
    }
    count = 0;
}
