#include "reading.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cputime.h"
#include "idents.h"
#include "profile.h"
#include "recorder.h"
#include "snapshot.h"
#include "text.h"
#include "view.h"

#define PATIENCE_NS 500000000u /* for lanes that meet their writer at work */

static _Atomic uint32_t readers;

void reading_await(void)
{
    while (atomic_load(&readers)) /* they take the lock after they have left */
        sched_yield();
}

void reading_forget(void) { atomic_store(&readers, 0); }

/* ---- the copy, without the interpreter's lock ---- */

struct reading {
    struct reading_copy copy;
    uint32_t consumer;
    bool threads;
    struct profile whole;
    struct profile *thread; /* [snapshot.lanes], one lane each; NULL: not asked for */
    uint32_t lanes;
};

static bool ask_cpu(void *context, uint32_t tid, uint64_t *cpu)
{
    struct cputime_reading now;
    (void)context;
    bool read = cputime_read_thread(&now, (pid_t)tid);
    *cpu = read ? now.cpu : 0;
    return read;
}

/* The same copy with a single lane: nothing of it is owned. */
static int make_threads(struct reading *r)
{
    r->lanes = r->copy.snapshot.lanes;
    r->thread = calloc((size_t)r->lanes + 1, sizeof *r->thread);
    int error = r->thread ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < r->lanes && error == 0; i++) {
        struct snapshot one = r->copy.snapshot;
        one.lane = &r->copy.snapshot.lane[i];
        one.lanes = 1;
        error = profile_make_view(&r->thread[i], &one, r->consumer);
    }
    return error;
}

static int make(void *context)
{
    struct reading *r = context;
    int error = profile_make_view(&r->whole, &r->copy.snapshot, r->consumer);
    return error == 0 && r->threads ? make_threads(r) : error;
}

static int copy_segment(struct reading_copy *copy)
{
    const struct segment *segment = recorder_segment();
    const struct segment_header *h = segment->header;
    const struct clock_anchor first = {.ticks = h->anchor_ticks, .monotonic = h->anchor_monotonic};
    struct view v;
    int error = view_of_own(&v, segment->base, segment->capacity);
    if (error == 0)
        error = snapshot_take(&copy->snapshot, &v, &(struct snapshot_options){.alive = true, .ask_cpu = ask_cpu, .patience = PATIENCE_NS});
    if (error == 0)
        copy->scale = clock_scale_now((enum clock_source)h->clock_source, &first);
    return error;
}

static void release(struct reading *r)
{
    for (uint32_t i = 0; r->thread && i < r->lanes; i++)
        profile_free(&r->thread[i]);
    free(r->thread);
    profile_free(&r->whole);
}

static void raise(int error)
{
    if (error == -ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_Format(PyExc_RuntimeError, error == -ENOENT ? "this consumer was removed meanwhile: make another one"
                                                      : "the segment of this process cannot be read (%s): call again", strerror(-error));
}

int reading_copy(struct reading_copy *copy, reading_use *use, void *context)
{
    int error;
    atomic_fetch_add(&readers, 1);
    Py_BEGIN_ALLOW_THREADS
    error = copy_segment(copy);
    atomic_fetch_sub(&readers, 1); /* what follows looks at the copy alone */
    if (error == 0) {
        error = use(context);
        snapshot_free(&copy->snapshot);
    }
    Py_END_ALLOW_THREADS
    if (error < 0)
        raise(error);
    return error < 0 ? -1 : 0;
}

/* ---- rows ---- */

static PyObject *ns(const struct reading *r, uint64_t ticks) { return PyLong_FromUnsignedLongLong(clock_scale_duration(&r->copy.scale, ticks)); }
static PyObject *count(uint64_t n) { return PyLong_FromUnsignedLongLong(n); }
static PyObject *text(const char *s) { return text_of_name(s); }

/* A tuple that takes over the references; NULL, and all released, if one of them is. */
static PyObject *row_of(PyObject **item, Py_ssize_t items)
{
    PyObject *row = PyTuple_New(items);
    for (Py_ssize_t i = 0; i < items; i++) {
        if (row && item[i])
            PyTuple_SET_ITEM(row, i, item[i]);
        else {
            Py_XDECREF(item[i]);
            Py_CLEAR(row);
        }
    }
    return row;
}
#define ROW(...) row_of((PyObject *[]){__VA_ARGS__}, (Py_ssize_t)(sizeof((PyObject *[]){__VA_ARGS__}) / sizeof(PyObject *)))

static PyObject *kind_name(uint32_t kind)
{
    static const char *const names[] = {[SITE_FUNCTION] = "function", [SITE_BLOCK] = "block", [SITE_COLLECTOR] = "collector", [SITE_OWN] = "own",
                                        [SITE_BUILTIN] = "builtin"};
    return PyUnicode_InternFromString(kind < sizeof names / sizeof *names ? names[kind] : "unknown");
}

static PyObject *site_row(const struct reading *r, const struct profile_site *s)
{
    const struct profile_times *t = &s->t;
    return ROW(count(s->id), text(s->name), text(s->qualname), text(s->module), text(s->file), count(s->line), count(s->track), kind_name(s->kind),
               count(t->calls), count(t->primitive_calls), count(t->open), count(t->suspended), count(t->raised), ns(r, t->inclusive),
               ns(r, t->exclusive), ns(r, s->spread.min), ns(r, s->spread.max), ns(r, metric_cpu_inclusive(t)), ns(r, metric_cpu_exclusive(t)), ns(r, t->waited),
               ns(r, t->elapsed), count(s->spread.ended), ns(r, s->spread.p50), ns(r, s->spread.p95), ns(r, s->spread.p99), ns(r, s->spread.deviation),
               ns(r, s->outermost));
}

static PyObject *pair_row(const struct reading *r, const struct profile_pair *p)
{
    const struct profile_times *t = &p->t;
    return ROW(count(p->caller), count(p->callee), count(t->calls), count(t->primitive_calls), count(t->open), count(t->raised),
               ns(r, t->inclusive), ns(r, t->exclusive), ns(r, metric_cpu_inclusive(t)), ns(r, metric_cpu_exclusive(t)), ns(r, t->waited),
               ns(r, t->elapsed));
}

/* Takes over the row. */
static bool append(PyObject *list, PyObject *row)
{
    bool done = row && PyList_Append(list, row) == 0;
    Py_XDECREF(row);
    return done;
}

static bool is_shown(const struct profile_times *t) { return metric_any(t) || t->open || t->waited; }

static PyObject *site_rows(const struct reading *r, const struct profile *p)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < p->sites; i++)
        if (is_shown(&p->site[i].t) && !append(list, site_row(r, &p->site[i])))
            Py_CLEAR(list);
    return list;
}

static PyObject *pair_rows(const struct reading *r, const struct profile *p)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < p->pairs; i++)
        if (!append(list, pair_row(r, &p->pair[i])))
            Py_CLEAR(list);
    return list;
}

static PyObject *thread_row(const struct reading *r, const struct profile *p)
{
    const struct profile_thread *t = &p->thread[0];
    const struct ident *known = t->merged ? NULL : idents_find(t->lane);
    return Py_BuildValue("{s:N,s:I,s:k,s:K,s:K,s:O,s:O,s:K,s:O,s:N}", "name", text(t->name), "tid", (unsigned)t->tid, "ident",
                         known ? known->ident : 0ul, "number", known ? (unsigned long long)known->number : 0ull, "lane",
                         (unsigned long long)t->lane, "exited", t->exited ? Py_True : Py_False, "merged", t->merged ? Py_True : Py_False, "count",
                         (unsigned long long)t->count, "complete", t->complete ? Py_True : Py_False, "sites", site_rows(r, p));
}

static PyObject *thread_rows(const struct reading *r)
{
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < r->lanes; i++)
        if (r->thread[i].threads && r->thread[i].thread[0].first_root && !append(list, thread_row(r, &r->thread[i])))
            Py_CLEAR(list);
    return list;
}

static PyObject *losses(const struct profile *p)
{
    const struct {
        const char *name;
        uint64_t count;
    } all[] = {
        {"lost", p->lost}, {"unpathed", p->unpathed}, {"lost_waits", p->lost_waits}, {"clamped", p->clamped}, {"mismatched", p->mismatched},
        {"silent_ends", p->silent_ends}, {"moving", p->moving}, {"untold", p->untold}, {"lost_sites", p->lost_sites}, {"lost_lanes", p->lost_lanes},
        {"paused", p->paused}, {"displaced", p->displaced}, {"refused_growth", p->refused_growth}, {"lost_interpreters", p->lost_interpreters},
    };
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < sizeof all / sizeof *all; i++) {
        PyObject *n = count(all[i].count);
        if (!n || PyDict_SetItemString(dict, all[i].name, n) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(n);
    }
    return dict;
}

static PyObject *reading_dict(const struct reading *r, bool pairs)
{
    const struct profile *p = &r->whole;
    PyObject *threads = r->thread ? thread_rows(r) : Py_NewRef(Py_None);
    PyObject *list = pairs ? pair_rows(r, p) : Py_NewRef(Py_None);
    return Py_BuildValue("{s:N,s:N,s:N,s:O,s:N,s:K,s:K}", "sites", site_rows(r, p), "pairs", list, "threads", threads, "complete",
                         profile_gap(p) == PROFILE_WHOLE ? Py_True : Py_False, "losses", losses(p), "unplaced",
                         (unsigned long long)clock_scale_duration(&r->copy.scale, p->unplaced), "records", (unsigned long long)p->records);
}

PyObject *reading_take(uint32_t consumer, bool threads, bool pairs)
{
    struct reading r = {.consumer = consumer, .threads = threads};
    PyObject *dict = reading_copy(&r.copy, make, &r) < 0 ? NULL : reading_dict(&r, pairs);
    release(&r);
    return dict;
}
