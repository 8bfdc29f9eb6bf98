#include "scope.h"

#include <stdlib.h>

#include "calls.h"
#include "greenlets.h"
#include "stacks.h"

static scope_ledger_of *ledger_of;
static PyObject *magic_name;
static Py_ssize_t magic_extra; /* slot of code objects: where the variable is */

/* What the slot says: 0: not looked at yet, MAGIC_NONE, or MAGIC_FIRST + the variable's place in the frame. */
enum { MAGIC_NONE = 1, MAGIC_FIRST = 2 };

int scope_init(scope_ledger_of *of_object)
{
    ledger_of = of_object;
    magic_name = PyUnicode_InternFromString("_timestamp_collector_");
    magic_extra = python_request_extra(NULL);
    if (magic_name && magic_extra >= 0)
        return 0;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "no slot left for extra data of code objects");
    return -1;
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
    return found ? ledger_of(found, t) : NULL;
}

/* ---- the stack of open calls ---- */

static bool is_on_ring(const struct thread *t, const struct stay *s) { return demand_same_era(s->epoch, t->epoch); }

static bool is_open_collector(const struct open_call *o) { return o->what & OPEN_COLLECTOR && !(o->what & (OPEN_ENDED | OPEN_LEFT)); }

static void resume(struct thread *t, struct stay *s)
{
    struct waiting_call own = {.call = {.id = s, .what = s->site | OPEN_BLOCK | OPEN_COLLECTOR}, .key = s->key, .chain = chain_keep(chain_live(s->around))};
    if (!calls_resume(t, &own))
        return;
    s->waits = false;
    for (struct waiting_call *b = s->blocks, *next; b; b = next) {
        next = b->next;
        calls_resume(t, b);
        free(b);
    }
    s->blocks = NULL;
}

/* A block on top waits with the stay that it is in; one that cannot wait ends. */
static void suspend_block(struct thread *t, struct stay *s)
{
    struct waiting_call *b = s && calls_is_keyed(t, t->writer->depth) ? malloc(sizeof *b) : NULL;
    if (!b) {
        calls_exit(t, calls_site(t, t->writer->depth), RECORD_ABANDONED);
        return;
    }
    calls_suspend(t, b);
    b->next = s->blocks;
    s->blocks = b;
}

/* The entry on top: a collector's, or a block's. */
static void suspend_top(struct thread *t)
{
    struct waiting_call own;
    uint32_t depth = t->writer->depth, below = depth;
    while (below && !is_open_collector(&t->open[below]) && t->open[below].what & OPEN_BLOCK)
        below--;
    struct stay *s = below && is_open_collector(&t->open[below]) ? (struct stay *)(uintptr_t)t->open[below].id : NULL;
    if (below != depth || !s) {
        suspend_block(t, s);
        return;
    }
    calls_suspend(t, &own);
    chain_drop(own.chain); /* it is `around` */
    s->waits = true;
}

static void suspend_down_to(struct thread *t, uint32_t depth)
{
    while (t->writer->depth > depth) {
        calls_drop_ended(t);
        if (t->writer->depth > depth)
            suspend_top(t);
    }
}

bool scope_uncover_depth(struct thread *t, uint32_t depth)
{
    suspend_down_to(t, depth);
    return true;
}

bool scope_uncover(struct thread *t, const void *id)
{
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].id != id && t->open[depth].what & OPEN_BLOCK)
        depth--;
    if (depth && t->open[depth].id == id)
        return scope_uncover_depth(t, depth);
    greenlets_look(); /* it may be on another stack */
    return false;
}

void scope_push(struct thread *t, struct stay *s)
{
    if (!calls_open(t, s, s->site, OPEN_BLOCK | OPEN_COLLECTOR))
        return;
    s->epoch = t->epoch;
    s->key = calls_new_key();
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
        calls_exit(t, calls_site(t, t->writer->depth), RECORD_ABANDONED);
}

void scope_pop(struct thread *t, struct stay *s, bool raised)
{
    if (!is_on_ring(t, s))
        return;
    if (s->waits)
        resume_to_end(t, s);
    uint32_t depth = calls_depth_of(t, s);
    if (depth)
        calls_leave(t, depth, raised);
    else
        stacks_leave(t, s, raised);
}

/* Stays that ended on another thread end here, too. */
static void end_those_ended_elsewhere(struct thread *t)
{
    struct stay *ended = hosts_take_ended(&t->hosts);
    if (!ended)
        return;
    for (struct stay *s = ended, *next; s; s = next) {
        next = s->next;
        scope_pop(t, s, false);
        hosts_free_stay(s);
    }
    thread_set_usual(t);
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
    for (struct stay *s = hosts_of(h, f); s; s = s->next) {
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
        if (w->stays == t->hosts.count && w->latent >= demand_latent)
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
    end_those_ended_elsewhere(t);
    if (!t->hosts.count && !demand_latent)
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
