#include "stacks.h"

#include <stdlib.h>

#include "activations.h"
#include "functions.h"
#include "hook.h"
#include "recorder.h"

bool stacks_change;

#define FEWEST_BUCKETS 16u

/* Open calls of a stack that does not run, the innermost first. */
struct aside {
    const void *greenlet;
    struct aside *next; /* in its bucket */
    uint32_t count;
    struct {
        struct open_call call;
        uint64_t key;
        struct chain *chain; /* kept */
    } waiting[];
};

struct stacks {
    const void *running;
    struct aside **bucket;
    uint32_t buckets, used; /* buckets: a power of two */
};

/* ---- greenlet's C interface: greenlet.h, the table in the capsule greenlet._C_API, unchanged since 0.4 ---- */

enum { API_GETCURRENT = 4 };
typedef PyObject *getcurrent(void);
static getcurrent *current;

static PyObject *find_capsule(void)
{
    PyObject *modules = PySys_GetObject("modules");
    PyObject *module = modules ? PyDict_GetItemString(modules, "greenlet") : NULL; /* borrowed, all of them */
    PyObject *capsule = module && PyModule_Check(module) ? PyDict_GetItemString(PyModule_GetDict(module), "_C_API") : NULL;
    return capsule && PyCapsule_IsValid(capsule, "greenlet._C_API") ? capsule : NULL;
}

void stacks_look(void)
{
    if (stacks_change)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *capsule = find_capsule();
    void **api = capsule ? PyCapsule_GetPointer(capsule, "greenlet._C_API") : NULL;
    PyErr_Restore(type, value, traceback);
    if (!api)
        return;
    current = (getcurrent *)(uintptr_t)api[API_GETCURRENT];
    stacks_change = true;
    recorder_nothing_is_usual();
}

const void *stacks_running(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *greenlet = current();
    if (!greenlet)
        PyErr_Clear();
    Py_XDECREF(greenlet); /* it runs, so it lives */
    PyErr_Restore(type, value, traceback);
    return greenlet;
}

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

/* The key of the call on top, if it has one, which it is resumed by in any case; else a new one. */
static uint64_t key_of_top(const struct thread *t)
{
    uint32_t depth = t->writer->depth;
    const struct open_call *c = &t->open[depth];
    if (c->what & OPEN_COLLECTOR)
        return ((const struct stay *)c->id)->key;
    if (c->what & OPEN_KEYED)
        return hook_key(c->id);
    uint64_t key = account_chain(t, depth) ? t->accounts.at[depth].key : 0;
    return key ? key : scope_new_key();
}

/* Without memory what is open is cut: it stays open for whoever reads. */
static void put_aside(struct thread *t, struct stacks *s)
{
    uint32_t open = t->writer->depth - t->ended;
    struct aside *a = open ? malloc(sizeof *a + open * sizeof *a->waiting) : NULL;
    if (open && !a) {
        recorder_cut_open(t);
        return;
    }
    for (uint32_t i = 0; i < open; i++) {
        recorder_drop_ended(t);
        uint32_t depth = t->writer->depth;
        a->waiting[i].call = t->open[depth];
        a->waiting[i].key = key_of_top(t);
        a->waiting[i].chain = chain_keep(account_chain(t, depth));
        writer_put_aside(t->writer, (uint32_t)t->open[depth].what, a->waiting[i].key);
        activation_steps_aside(t, a->waiting[i].key);
        account_end(t, depth, ACCOUNT_WAITS);
    }
    recorder_drop_ended(t);
    if (!a)
        return;
    a->greenlet = s->running;
    a->count = open;
    keep(s, a);
    if (++s->used > s->buckets)
        grow(s);
}

static void account_again(struct thread *t, struct chain *chain, uint64_t key, bool is_block)
{
    struct account *a = chain ? account_begin(t, chain, false) : NULL;
    if (a && is_block)
        a->key = key;
    chain_drop(chain);
}

static void bring_back(struct thread *t, struct aside *a)
{
    for (uint32_t i = a->count; i-- > 0;) {
        const struct open_call *c = &a->waiting[i].call;
        if (!recorder_open(t, c->id, (uint32_t)c->what, c->what & ~(uint64_t)UINT32_MAX)) {
            chain_incomplete(a->waiting[i].chain);
            chain_drop(a->waiting[i].chain);
            continue;
        }
        writer_resume(t->writer, (uint32_t)c->what, a->waiting[i].key);
        activation_comes_back(t, a->waiting[i].key);
        account_again(t, a->waiting[i].chain, a->waiting[i].key, c->what & OPEN_BLOCK && !(c->what & OPEN_COLLECTOR));
        t->ended += (c->what & OPEN_LEFT) != 0;
    }
    free(a);
    recorder_drop_ended(t);
    recorder_set_usual(t);
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
        if (depth && code && HOOK_SITE(python_code_extra(code, hook_extra)) == (uint32_t)t->open[depth].what)
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
        recorder_cut_open(t);
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

void stacks_leave(struct thread *t, const void *id, uint64_t flags)
{
    struct stacks *s = t->stacks;
    for (uint32_t b = 0; s && b < s->buckets; b++)
        for (struct aside *a = s->bucket[b]; a; a = a->next)
            for (uint32_t i = 0; i < a->count; i++)
                if (a->waiting[i].call.id == id) {
                    a->waiting[i].call.id = NULL;
                    a->waiting[i].call.what |= flags;
                }
}

static void give_up_chains(const struct aside *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        chain_incomplete(a->waiting[i].chain);
        chain_drop(a->waiting[i].chain);
    }
}

static void release(struct thread *t, bool locked)
{
    struct stacks *s = t->stacks;
    for (uint32_t i = 0; s && i < s->buckets; i++)
        for (struct aside *a = s->bucket[i], *next; a; a = next) {
            next = a->next;
            if (locked)
                give_up_chains(a);
            free(a);
        }
    if (s)
        free(s->bucket);
    free(s);
    t->stacks = NULL;
}

void stacks_forget(struct thread *t) { release(t, true); }
void stacks_free(struct thread *t) { release(t, false); }
