#include "stacks.h"

#include <stdlib.h>

#include "calls.h"
#include "functions.h"
#include "variants.h"

#define FEWEST_BUCKETS 16u

/* Open calls of a stack that does not run, the innermost first. */
struct aside {
    const void *greenlet;
    struct aside *next; /* in its bucket */
    uint32_t count;
    struct waiting_call waiting[];
};

struct stacks {
    const void *running;
    struct aside **bucket;
    uint32_t buckets, used; /* buckets: a power of two */
};

/* ---- stacks that do not run ---- */

static struct aside **bucket_of(const struct stacks *s, const void *greenlet)
{
    uint64_t h = (uint64_t)(uintptr_t)greenlet * 0x9e3779b97f4a7c15ull;
    return &s->bucket[h >> 32 & (s->buckets - 1)];
}

static void keep(const struct stacks *s, struct aside *a)
{
    struct aside **bucket = bucket_of(s, a->greenlet);
    a->next = *bucket;
    *bucket = a;
}

/* Twice as many buckets; without memory their lists become longer. */
static void grow(struct stacks *s)
{
    struct stacks old = *s;
    s->buckets = old.buckets * 2;
    s->bucket = calloc(s->buckets, sizeof *s->bucket);
    if (!s->bucket) {
        *s = old;
        return;
    }
    for (uint32_t i = 0; i < old.buckets; i++)
        for (struct aside *a = old.bucket[i], *next; a; a = next) {
            next = a->next;
            keep(s, a);
        }
    free(old.bucket);
}

static struct aside *take(struct stacks *s, const void *greenlet)
{
    struct aside **link = bucket_of(s, greenlet);
    while (*link && (*link)->greenlet != greenlet)
        link = &(*link)->next;
    struct aside *a = *link;
    if (a) {
        *link = a->next;
        s->used--;
    }
    return a;
}

/* ---- going over ---- */

/* Without memory what is open is cut: it stays open for whoever reads. */
static void put_aside(struct thread *t, struct stacks *s)
{
    uint32_t open = t->writer->depth - t->ended;
    struct aside *a = open ? malloc(sizeof *a + open * sizeof *a->waiting) : NULL;
    if (open && !a) {
        calls_cut(t);
        return;
    }
    for (uint32_t i = 0; i < open; i++) {
        calls_drop_ended(t);
        calls_suspend(t, &a->waiting[i]);
    }
    calls_drop_ended(t);
    if (!a)
        return;
    a->greenlet = s->running;
    a->count = open;
    keep(s, a);
    if (++s->used > s->buckets)
        grow(s);
}

static void bring_back(struct thread *t, struct aside *a)
{
    for (uint32_t i = a->count; i-- > 0;)
        calls_resume(t, &a->waiting[i]);
    free(a);
    calls_drop_ended(t);
    thread_set_usual(t);
}

/* Is each open call on the stack that runs, as far as frames can tell? */
static bool all_run(const struct thread *t)
{
    const python_frame *f = python_current_frame(PyThreadState_Get());
    uint32_t depth = t->writer->depth;
    for (; f && depth; f = python_caller(f)) {
        while (depth && t->open[depth].what & OPEN_BLOCK)
            depth--;
        const PyCodeObject *code = python_frame_code(f);
        if (depth && code && MARKS_SITE(python_code_extra(code, marks_extra)) == variants_function((uint32_t)t->open[depth].what))
            depth--;
    }
    while (depth && t->open[depth].what & OPEN_BLOCK)
        depth--;
    return depth == 0;
}

static struct stacks *new_stacks(struct thread *t, const void *running)
{
    struct stacks *s = calloc(1, sizeof *s);
    if (s)
        s->bucket = calloc(FEWEST_BUCKETS, sizeof *s->bucket);
    if (!s || !s->bucket) {
        free(s);
        return NULL;
    }
    s->running = running;
    s->buckets = FEWEST_BUCKETS;
    if (!all_run(t))
        calls_cut(t);
    return s;
}

void stacks_follow(struct thread *t, const void *running)
{
    struct stacks *s = t->stacks;
    if (!s) {
        t->stacks = new_stacks(t, running);
        return;
    }
    if (s->running == running)
        return;
    put_aside(t, s);
    s->running = running;
    struct aside *back = take(s, running);
    if (back)
        bring_back(t, back);
}

void stacks_leave(struct thread *t, const void *id, bool raised)
{
    struct stacks *s = t->stacks;
    for (uint32_t b = 0; s && b < s->buckets; b++)
        for (struct aside *a = s->bucket[b]; a; a = a->next)
            for (uint32_t i = 0; i < a->count; i++)
                if (a->waiting[i].call.id == id)
                    calls_mark_left(&a->waiting[i].call, raised);
}

static void give_up(const struct aside *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        calls_give_up(&a->waiting[i]);
}

static void release(struct thread *t, bool locked)
{
    struct stacks *s = t->stacks;
    for (uint32_t i = 0; s && i < s->buckets; i++)
        for (struct aside *a = s->bucket[i], *next; a; a = next) {
            next = a->next;
            if (locked)
                give_up(a);
            free(a);
        }
    if (s)
        free(s->bucket);
    free(s);
    t->stacks = NULL;
}

void stacks_forget(struct thread *t) { release(t, true); }
void stacks_free(struct thread *t) { release(t, false); }
