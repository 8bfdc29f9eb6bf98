#include "stays.h"

#include <stdlib.h>

#include "block.h"
#include "calls.h"
#include "clock.h"
#include "collecting.h"
#include "lifetime.h"
#include "recorder.h"
#include "scope.h"

/* A call that _begin(name) began. */
struct manual {
    PyObject *name;
    struct manual *below;
};

/* ---- not entered yet ---- */

bool stays_is_latent(const struct collector *c) { return c->latent && c->latent == recorder_segment()->pid; }

/* Where nothing can be recorded, entering says why. */
void stays_begin_latent(struct collector *c)
{
    if (!recorder_available())
        return;
    lifetime_settle();
    if (collecting_want_latent() == 0)
        c->latent = recorder_segment()->pid;
    else
        PyErr_Clear();
}

void stays_end_latent(struct collector *c)
{
    if (stays_is_latent(c))
        collecting_unwant_latent();
    c->latent = 0;
}

struct stay *stays_on(const struct collector *c, const struct thread *t)
{
    struct stay *s = c->stay;
    while (s && !(s->thread == t->number && s->pid == recorder_segment()->pid))
        s = s->outer;
    return s;
}

/* ---- entering and leaving ---- */

/* Is this a frame that enters something for somebody else? A comprehension is one of its own up to 3.11 only. */
static bool enters_for_its_caller(const PyCodeObject *code)
{
    static const char *const names[] = {"__enter__", "__aenter__", "enter_context", "enter_async_context",
                                        "<listcomp>", "<setcomp>", "<dictcomp>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (PyUnicode_CompareWithASCIIString(code->co_name, names[i]) == 0)
            return true;
    return false;
}

/* The frame that the `with` stands in: a context manager that has a collector inside, be it a class, an ExitStack or a
 * generator that contextlib runs up to its yield, enters it for its caller. */
static const python_frame *find_host(void)
{
    const python_frame *f = python_next_with_code(python_current_frame(PyThreadState_Get()));
    const python_frame *caller = f ? python_next_with_code(python_caller(f)) : NULL;
    while (caller && (enters_for_its_caller(python_frame_code(f)) || enters_for_its_caller(python_frame_code(caller)))) {
        f = caller;
        caller = python_next_with_code(python_caller(f));
    }
    return f;
}

static bool is_plain(const PyCodeObject *code) { return !(code->co_flags & PYTHON_GENERATOR_FLAGS); }

/* Puts the stay on the thread's stack and among its hosts. */
static bool settle(struct collector *c, PyObject *name, struct stay *s, struct thread *t)
{
    const python_frame *host = find_host();
    s->site = block_site(name, SITE_COLLECTOR);
    if (!host || !s->site)
        return false;
    s->around = chain_keep(scope_resolve(t, host));
    s->chain = chain_keep(chain_link(c->ledger, s->around));
    s->host = host;
    s->code = (PyCodeObject *)Py_NewRef((PyObject *)python_frame_code(host));
    s->plain = is_plain(s->code);
    if (!s->chain || !hosts_add(t, s))
        return false;
    s->thread = t->number;
    scope_push(t, s);
    return true;
}

int stays_enter(struct collector *c, PyObject *name)
{
    struct stay *s = calloc(1, sizeof *s);
    if (!s) {
        PyErr_NoMemory();
        return -1;
    }
    lifetime_settle();
    if (collecting_want() < 0) {
        free(s);
        return -1;
    }
    stays_end_latent(c);
    struct thread *t = thread_now();
    s->pid = recorder_segment()->pid;
    if (c->pid && c->pid != s->pid)
        ledger_clear(c->ledger);
    c->pid = s->pid;
    s->outer = c->stay;
    s->ledger = c->ledger;
    s->collector = (PyObject *)c;
    c->origin.ns_per_tick = 0;
    if (!c->stay) {
        c->begin = clock_ticks();
        c->first = c->first ? c->first : c->begin;
        ledger_next_stay(c->ledger);
    }
    if (!t || !settle(c, name, s, t))
        c->ledger->complete = false;
    c->stay = s;
    return 0;
}

static void drop_manual(struct stay *s)
{
    struct manual *m = s->manual;
    s->manual = m->below;
    Py_DECREF(m->name);
    free(m);
}

static void leave_thread(struct thread *t, struct stay *s, bool raised)
{
    scope_resolve(t, python_current_frame(PyThreadState_Get()));
    for (; s->manual; drop_manual(s))
        calls_block_exit(t, s->manual, raised);
    scope_pop(t, s, raised);
    hosts_remove(t, s);
}

/* The stay on this thread that this frame entered. */
static struct stay **stay_of_frame(struct collector *c, const struct thread *t, const python_frame *f)
{
    struct stay **link = &c->stay;
    while (*link && !((*link)->thread == t->number && (*link)->host == f && (*link)->code == python_frame_code(f)))
        link = &(*link)->outer;
    return *link ? link : NULL;
}

/* The stay that ends: that of the nearest frame that has one, else the latest. */
static struct stay **find_stay(struct collector *c)
{
    struct thread *t = c->stay->outer && recorder_available() ? thread_now() : NULL;
    for (const python_frame *f = t ? python_next_with_code(python_current_frame(PyThreadState_Get())) : NULL; f; f = python_next_with_code(python_caller(f))) {
        struct stay **found = stay_of_frame(c, t, f);
        if (found)
            return found;
    }
    return &c->stay;
}

static void leave(struct collector *c, struct stay **link, bool raised)
{
    struct stay *s = *link;
    bool here = recorder_available() && s->pid == recorder_segment()->pid;
    struct thread *t = here ? thread_now() : NULL;
    bool same_thread = t && t->number == s->thread;
    *link = s->outer;
    c->end = clock_ticks();
    c->origin.ns_per_tick = 0;
    if (!c->stay)
        c->total += c->end - c->begin;
    if (same_thread)
        leave_thread(t, s, raised);
    else
        c->ledger->complete = false;
    while (s->manual)
        drop_manual(s);
    if (!c->stay)
        ledger_next_stay(c->ledger);
    chain_drop(s->chain);
    chain_drop(s->around);
    Py_CLEAR(s->code);
    if (same_thread || !s->thread)
        free(s);
    else
        hosts_ended_elsewhere(s);
    if (here)
        collecting_unwant();
}

void stays_leave(struct collector *c, bool raised)
{
    if (c->stay)
        leave(c, find_stay(c), raised);
}

void stays_leave_all(struct collector *c)
{
    while (c->stay)
        leave(c, &c->stay, false);
}

/* ---- by hand ---- */

bool stays_begin_by_hand(struct collector *c, PyObject *name)
{
    struct thread *t = c->stay && recorder_available() ? thread_now() : NULL;
    struct stay *s = t ? stays_on(c, t) : NULL;
    struct manual *m = s ? malloc(sizeof *m) : NULL;
    uint32_t site = m ? block_site(name, SITE_BLOCK) : 0;
    if (!site) {
        c->ledger->complete &= !s;
        free(m);
        return false;
    }
    *m = (struct manual){.name = Py_NewRef(name), .below = s->manual};
    s->manual = m;
    struct chain *chain = scope_resolve(t, python_current_frame(PyThreadState_Get()));
    t->chain = chain_has(chain, c->ledger) ? chain : s->chain;
    calls_block_enter(t, m, site, 0);
    return true;
}

bool stays_end_by_hand(struct collector *c, PyObject *name)
{
    struct thread *t = c->stay && recorder_available() ? thread_now() : NULL;
    struct stay *s = t ? stays_on(c, t) : NULL;
    struct manual **link = s ? &s->manual : NULL;
    while (link && *link && PyUnicode_Compare((*link)->name, name) != 0)
        link = &(*link)->below;
    if (!link || !*link)
        return false;
    struct manual *m = *link;
    scope_resolve(t, python_current_frame(PyThreadState_Get()));
    calls_block_exit(t, m, false);
    *link = m->below;
    Py_DECREF(m->name);
    free(m);
    return true;
}
