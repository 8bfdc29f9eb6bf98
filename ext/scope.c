#include "scope.h"

#include <stdlib.h>

#include "collector.h"
#include "recorder.h"

uint32_t scope_latent;
static uint32_t ended_elsewhere; /* stays */
static PyObject *magic_name;
static Py_ssize_t magic_extra; /* slot of code objects: where the variable is */

struct waiting_block {
    const void *id;
    uint32_t site;
    uint64_t key;
    struct waiting_block *next;
};

/* What the slot says: 0: not looked at yet, MAGIC_NONE, or MAGIC_FIRST + the variable's place in the frame. */
enum { MAGIC_NONE = 1, MAGIC_FIRST = 2 };

int scope_init(void)
{
    magic_name = PyUnicode_InternFromString("_timestamp_collector_");
    magic_extra = python_request_extra(NULL);
    if (magic_name && magic_extra >= 0)
        return 0;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "no slot left for extra data of code objects");
    return -1;
}

/* Never that of memory, so it is nobody else's. */
uint64_t scope_new_key(void)
{
    static uint64_t last;
    return 1ull << 60 | ++last << 3;
}

/* ---- the variable ---- */

static uintptr_t place_of_variable(PyCodeObject *code)
{
    uintptr_t place = python_code_extra(code, magic_extra);
    if (place)
        return place;
    Py_ssize_t index = python_code_local(code, magic_name);
    place = index < 0 ? MAGIC_NONE : MAGIC_FIRST + (uintptr_t)index;
    if (python_code_set_extra(code, magic_extra, place) < 0)
        PyErr_Clear(); /* no memory: it is looked for again next time */
    return place;
}

/* Modules and class bodies keep theirs in a dict. */
static PyObject *variable_in_dict(const python_frame *f)
{
    PyObject *type, *value, *traceback, *names = python_frame_names(f);
    if (!names || !PyDict_CheckExact(names))
        return NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *found = PyDict_GetItemWithError(names, magic_name);
    PyErr_Restore(type, value, traceback);
    return found;
}

/* Borrowed. */
static struct ledger *ledger_in_variable(const struct thread *t, const python_frame *f, PyCodeObject *code)
{
    PyObject *found = NULL;
    if (!(code->co_flags & CO_OPTIMIZED)) {
        found = variable_in_dict(f);
    } else {
        uintptr_t place = place_of_variable(code);
        if (place != MAGIC_NONE)
            found = python_frame_local(f, (Py_ssize_t)(place - MAGIC_FIRST));
    }
    if (found && PyCell_Check(found))
        found = PyCell_GET(found);
    return found ? collector_ledger(found, t) : NULL;
}

/* ---- hosts ---- */

static uint32_t bucket_of(const struct hosts *h, const python_frame *f)
{
    return (uint32_t)((uintptr_t)f >> 4) * 2654435769u >> 8 & h->mask;
}

static bool grow(struct hosts *h)
{
    uint32_t size = h->bucket ? 2 * (h->mask + 1) : 16;
    struct hosts more = {.bucket = calloc(size, sizeof *more.bucket), .mask = size - 1};
    if (!more.bucket)
        return h->bucket;
    for (uint32_t i = 0; h->bucket && i <= h->mask; i++) {
        struct stay *reversed = NULL;
        for (struct stay *s = h->bucket[i], *next; s; s = next) {
            next = s->next;
            s->next = reversed;
            reversed = s;
        }
        for (struct stay *s = reversed, *next; s; s = next) {
            next = s->next;
            struct stay **to = &more.bucket[bucket_of(&more, s->host)];
            s->next = *to;
            *to = s;
        }
    }
    free(h->bucket);
    h->bucket = more.bucket;
    h->mask = more.mask;
    return true;
}

static void free_blocks(struct stay *s)
{
    for (struct waiting_block *b = s->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    s->blocks = NULL;
}

static void purge(struct hosts *h)
{
    for (uint32_t i = 0; h->bucket && i <= h->mask; i++)
        for (struct stay **link = &h->bucket[i], *s; (s = *link);) {
            if (s->host) {
                link = &s->next;
                continue;
            }
            *link = s->next;
            h->count--;
            free_blocks(s);
            free(s);
        }
    h->ended = ended_elsewhere;
}

bool scope_add(struct thread *t, struct stay *s)
{
    struct hosts *h = &t->hosts;
    if (h->ended != ended_elsewhere)
        purge(h);
    if ((!h->bucket || h->count > h->mask) && !grow(h))
        return false;
    struct stay **to = &h->bucket[bucket_of(h, s->host)];
    s->next = *to;
    *to = s;
    h->count++;
    recorder_set_usual(t);
    return true;
}

void scope_remove(struct thread *t, struct stay *s)
{
    struct stay **link = &t->hosts.bucket[bucket_of(&t->hosts, s->host)];
    while (*link && *link != s)
        link = &(*link)->next;
    if (*link) {
        *link = s->next;
        t->hosts.count--;
    }
    free_blocks(s);
    recorder_set_usual(t);
}

const struct stay *scope_entered_by(const struct thread *t, const python_frame *frame)
{
    const struct hosts *h = &t->hosts;
    const struct stay *s = h->count ? h->bucket[bucket_of(h, frame)] : NULL;
    while (s && !(s->host == frame && s->code == python_frame_code(frame)))
        s = s->next;
    return s;
}

void scope_ended_elsewhere(struct stay *s)
{
    s->host = NULL;
    ended_elsewhere++;
}

void scope_free(struct hosts *h) { free(h->bucket); }

/* ---- the stack of open calls ---- */

static bool is_on_ring(const struct thread *t, const struct stay *s) { return s->epoch == t->epoch; }

static bool is_open_collector(const struct open_call *o) { return o->what & OPEN_COLLECTOR && !(o->what & (OPEN_ENDED | OPEN_LEFT)); }

static uint32_t site_on_top(const struct thread *t) { return (uint32_t)t->open[t->writer->depth].what; }

static void resume_blocks(struct thread *t, struct stay *s)
{
    for (struct waiting_block *b = s->blocks, *next; b; b = next) {
        next = b->next;
        if (recorder_open(t, b->id, b->site, OPEN_BLOCK)) {
            writer_resume(t->writer, b->site, b->key);
            struct account *a = account_begin(t, s->chain, false);
            if (a)
                a->key = b->key;
        }
        free(b);
    }
    s->blocks = NULL;
}

static void resume(struct thread *t, struct stay *s)
{
    struct chain *outer = chain_live(s->around);
    if (!recorder_open(t, s, s->site, OPEN_BLOCK | OPEN_COLLECTOR))
        return;
    s->waits = false;
    writer_resume(t->writer, s->site, s->key);
    if (outer)
        account_begin(t, outer, false);
    resume_blocks(t, s);
}

static void suspend_block(struct thread *t, struct stay *s)
{
    uint32_t depth = t->writer->depth;
    struct waiting_block *b = s && account_chain(t, depth) && t->accounts.at[depth].key ? malloc(sizeof *b) : NULL;
    if (!b) {
        recorder_exit(t, site_on_top(t), RECORD_ABANDONED);
        return;
    }
    *b = (struct waiting_block){.id = t->open[depth].id, .site = site_on_top(t), .key = t->accounts.at[depth].key, .next = s->blocks};
    s->blocks = b;
    recorder_suspend(t, b->site);
}

void scope_suspend_top(struct thread *t)
{
    uint32_t depth = t->writer->depth, below = depth;
    while (below && !is_open_collector(&t->open[below]) && t->open[below].what & OPEN_BLOCK)
        below--;
    struct stay *s = below && is_open_collector(&t->open[below]) ? (struct stay *)(uintptr_t)t->open[below].id : NULL;
    if (below != depth || !s) {
        suspend_block(t, s);
        return;
    }
    s->waits = true;
    recorder_suspend(t, s->site);
}

static void suspend_down_to(struct thread *t, uint32_t depth)
{
    while (t->writer->depth > depth) {
        recorder_drop_ended(t);
        if (t->writer->depth > depth)
            scope_suspend_top(t);
    }
}

void scope_push(struct thread *t, struct stay *s)
{
    if (!recorder_open(t, s, s->site, OPEN_BLOCK | OPEN_COLLECTOR))
        return;
    s->epoch = t->epoch;
    s->key = scope_new_key();
    writer_enter_keyed(t->writer, s->site, s->key);
    if (s->around)
        account_begin(t, s->around, true);
}

/* Blocks that were never left end with it. */
static void resume_to_end(struct thread *t, struct stay *s)
{
    uint32_t depth = t->writer->depth + 1;
    resume(t, s);
    while (t->writer->depth > depth)
        recorder_exit(t, site_on_top(t), RECORD_ABANDONED);
}

void scope_pop(struct thread *t, struct stay *s, bool raised)
{
    if (!is_on_ring(t, s))
        return;
    if (s->waits)
        resume_to_end(t, s);
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].id != s)
        depth--;
    uint64_t left = OPEN_LEFT | (raised ? OPEN_LEFT_RAISED : 0);
    if (!depth) {
        stacks_leave(t, s, left);
        return;
    }
    t->open[depth].what |= left;
    t->open[depth].id = NULL; /* the stay is freed */
    t->ended++;
    recorder_drop_ended(t);
}

/* ---- the walk ---- */

struct found {
    struct stay *stay;     /* NULL: found in a variable */
    struct ledger *ledger; /* NULL: in `base` already */
};

struct walk {
    struct found *item; /* innermost first */
    uint32_t count, room;
    uint32_t stays, latent; /* found */
    struct chain *base;     /* what encloses the outermost of them */
    bool settled;           /* its outermost stay and all that encloses it are in place */
    struct found first[16];
};

static void note(struct walk *w, struct stay *stay, struct ledger *ledger)
{
    if (w->count == w->room) {
        struct found *more = w->item == w->first ? malloc(2 * w->room * sizeof *more) : realloc(w->item, 2 * w->room * sizeof *more);
        if (!more) {
            if (ledger)
                ledger->complete = false;
            return;
        }
        for (uint32_t i = 0; w->item == w->first && i < w->count; i++)
            more[i] = w->first[i];
        w->item = more;
        w->room *= 2;
    }
    w->item[w->count++] = (struct found){.stay = stay, .ledger = ledger};
    w->stays += stay != NULL;
}

static void note_variable(struct walk *w, struct ledger *ledger)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->item[i].ledger == ledger)
            return;
    w->latent++;
    note(w, NULL, ledger);
}

/* True: what encloses this frame is known. */
static bool look_at_hosts(struct walk *w, const struct hosts *h, const python_frame *f, const PyCodeObject *code)
{
    for (struct stay *s = h->count ? h->bucket[bucket_of(h, f)] : NULL; s; s = s->next) {
        if (s->host != f || s->code != code)
            continue;
        note(w, s, s->plain ? NULL : s->ledger);
        if (s->plain) {
            w->base = s->chain;
            return w->settled = true;
        }
    }
    return false;
}

/* The innermost open call that has a frame; blocks lie above it. */
static uint32_t depth_of_call(const struct thread *t)
{
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].what & OPEN_BLOCK)
        depth--;
    return depth;
}

static void look_outwards(struct walk *w, const struct thread *t, const python_frame *frame, uint32_t call)
{
    const void *recorded = call ? t->open[call].id : NULL;
    for (const python_frame *f = frame; f; f = python_caller(f)) {
        PyCodeObject *code = python_frame_code(f);
        struct ledger *ledger = code ? ledger_in_variable(t, f, code) : NULL;
        if (ledger)
            note_variable(w, ledger);
        if (code && look_at_hosts(w, &t->hosts, f, code))
            return;
        if (f == recorded) {
            w->base = account_chain(t, call);
            return;
        }
        if (w->stays == t->hosts.count && w->latent >= scope_latent)
            return; /* there are no others */
    }
}

/* Above `call`, exactly the entries of the collectors found, in their order. */
static void bring_in_line(struct walk *w, struct thread *t, uint32_t call)
{
    uint32_t depth = call + 1, rest = w->count;
    if (w->settled) {
        const struct stay *outermost = w->item[--rest].stay;
        while (depth <= t->writer->depth && t->open[depth].id != outermost)
            depth++;
        if (depth++ > t->writer->depth) {
            depth = call + 1;
            rest += outermost->waits;
        }
    }
    for (; depth <= t->writer->depth; depth++) {
        if (!is_open_collector(&t->open[depth]))
            continue;
        while (rest && !(w->item[rest - 1].stay && is_on_ring(t, w->item[rest - 1].stay)))
            rest--;
        if (!rest || w->item[rest - 1].stay != t->open[depth].id)
            break;
        rest--;
    }
    if (depth <= t->writer->depth)
        suspend_down_to(t, depth - 1);
    while (rest--) {
        struct stay *s = w->item[rest].stay;
        if (s && s->waits && is_on_ring(t, s))
            resume(t, s);
    }
}

static struct chain *chain_of(const struct walk *w)
{
    struct chain *chain = w->base;
    for (uint32_t i = w->count; i-- > 0;) {
        struct chain *linked = w->item[i].ledger ? chain_link(w->item[i].ledger, chain) : NULL;
        chain = linked ? linked : chain;
    }
    return chain ? chain_live(chain) : NULL;
}

struct chain *scope_resolve(struct thread *t, const python_frame *frame)
{
    struct walk w = {.item = w.first, .room = sizeof w.first / sizeof *w.first};
    if (t->hosts.ended != ended_elsewhere)
        purge(&t->hosts);
    if (!t->hosts.count && !scope_latent)
        return NULL;
    uint32_t call = depth_of_call(t);
    look_outwards(&w, t, frame, call);
    if (t->hosts.count)
        bring_in_line(&w, t, call);
    struct chain *chain = chain_of(&w);
    if (w.item != w.first)
        free(w.item);
    return chain;
}
