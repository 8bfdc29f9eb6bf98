#include "collector.h"

#include <stdlib.h>

#include "block.h"
#include "clock.h"
#include "recorder.h"

struct collector {
    PyObject_HEAD
    PyObject *name;
    struct ledger *ledger;
    struct stay *stay;   /* innermost */
    uint64_t begin, end; /* ticks, of the outermost stay */
    uint64_t total;      /* ticks of all outermost stays that ended */
    pid_t latent;        /* the process in which it waits to be found in a variable; 0: it does not, or not any more */
};

static PyTypeObject collector_type;

/* ---- not entered yet ---- */

static bool is_latent(const struct collector *c) { return c->latent && c->latent == recorder_segment()->pid; }

/* Where nothing can be recorded, entering says why. */
static void begin_latent(struct collector *c)
{
    if (!recorder_available())
        return;
    if (recorder_want_latent() == 0)
        c->latent = recorder_segment()->pid;
    else
        PyErr_Clear();
}

static void end_latent(struct collector *c)
{
    if (is_latent(c))
        recorder_unwant_latent();
    c->latent = 0;
}

struct ledger *collector_ledger(PyObject *object, const struct thread *t)
{
    if (!PyObject_TypeCheck(object, &collector_type))
        return NULL;
    const struct collector *c = (const struct collector *)object;
    bool here = c->stay ? c->stay->thread == t->number : is_latent(c);
    return here ? c->ledger : NULL;
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

static const python_frame *next_with_code(const python_frame *f)
{
    while (f && !python_frame_code(f))
        f = python_caller(f);
    return f;
}

/* The frame that the `with` stands in: a context manager that has a collector inside, be it a class, an ExitStack or a
 * generator that contextlib runs up to its yield, enters it for its caller. */
static const python_frame *find_host(void)
{
    const python_frame *f = next_with_code(python_current_frame(PyThreadState_Get()));
    const python_frame *caller = f ? next_with_code(python_caller(f)) : NULL;
    while (caller && (enters_for_its_caller(python_frame_code(f)) || enters_for_its_caller(python_frame_code(caller)))) {
        f = caller;
        caller = next_with_code(python_caller(f));
    }
    return f;
}

static bool is_plain(const PyCodeObject *code) { return !(code->co_flags & PYTHON_GENERATOR_FLAGS); }

/* Puts the stay on the thread's stack and among its hosts. */
static bool settle(struct collector *c, struct stay *s, struct thread *t)
{
    const python_frame *host = find_host();
    s->site = block_site(c->name, SITE_COLLECTOR);
    if (!host || !s->site)
        return false;
    s->around = chain_keep(scope_resolve(t, host));
    s->chain = chain_keep(chain_link(c->ledger, s->around));
    s->host = host;
    s->code = (PyCodeObject *)Py_NewRef((PyObject *)python_frame_code(host));
    s->plain = is_plain(s->code);
    if (!s->chain || !scope_add(t, s))
        return false;
    s->thread = t->number;
    scope_push(t, s);
    return true;
}

static int enter(struct collector *c)
{
    struct stay *s = calloc(1, sizeof *s);
    if (!s) {
        PyErr_NoMemory();
        return -1;
    }
    if (recorder_want() < 0) {
        free(s);
        return -1;
    }
    end_latent(c);
    struct thread *t = recorder_thread();
    s->pid = recorder_segment()->pid;
    s->outer = c->stay;
    s->ledger = c->ledger;
    if (!c->stay) {
        c->begin = clock_ticks();
        ledger_next_stay(c->ledger);
    }
    if (!t || !settle(c, s, t))
        c->ledger->complete = false;
    c->stay = s;
    return 0;
}

static void leave_thread(struct thread *t, struct stay *s, bool raised)
{
    scope_resolve(t, python_current_frame(PyThreadState_Get()));
    scope_pop(t, s, raised);
    scope_remove(t, s);
}

static void leave(struct collector *c, bool raised)
{
    struct stay *s = c->stay;
    bool here = recorder_available() && s->pid == recorder_segment()->pid;
    struct thread *t = here ? recorder_thread() : NULL;
    bool same_thread = t && t->number == s->thread;
    c->stay = s->outer;
    c->end = clock_ticks();
    if (!c->stay)
        c->total += c->end - c->begin;
    if (same_thread)
        leave_thread(t, s, raised);
    else
        c->ledger->complete = false;
    if (!c->stay)
        ledger_next_stay(c->ledger);
    chain_drop(s->chain);
    chain_drop(s->around);
    Py_CLEAR(s->code);
    if (same_thread || !s->thread)
        free(s);
    else
        scope_ended_elsewhere(s);
    if (here)
        recorder_unwant();
}

/* ---- the type ---- */

static PyObject *collector_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs; /* they are __init__'s: a subclass may take others */
    struct collector *c = (struct collector *)type->tp_alloc(type, 0);
    if (!c)
        return NULL;
    c->name = PyUnicode_FromString("default");
    c->ledger = ledger_new();
    if (!c->name || !c->ledger) {
        Py_DECREF(c);
        return PyErr_NoMemory();
    }
    begin_latent(c);
    return (PyObject *)c;
}

static int collector_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", NULL};
    struct collector *c = (struct collector *)self;
    PyObject *name = c->name;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|U:Timestamp_Collector", names, &name))
        return -1;
    Py_INCREF(name);
    Py_XSETREF(c->name, name);
    return 0;
}

static void collector_dealloc(PyObject *self)
{
    struct collector *c = (struct collector *)self;
    while (c->stay) /* dropped without being left: a generator that was collected inside */
        leave(c, false);
    end_latent(c);
    Py_XDECREF(c->name);
    if (c->ledger)
        ledger_disown(c->ledger);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *collector_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    return enter((struct collector *)self) < 0 ? NULL : Py_NewRef(self);
}

static PyObject *collector_exit(PyObject *self, PyObject *args)
{
    bool raised = PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) != Py_None;
    if (((struct collector *)self)->stay)
        leave((struct collector *)self, raised);
    Py_RETURN_FALSE;
}

static struct clock_scale scale(void)
{
    const struct segment_header *h = recorder_segment()->header;
    struct clock_anchor first = {.ticks = h->anchor_ticks, .monotonic = h->anchor_monotonic};
    return clock_scale_now((enum clock_source)h->clock_source, &first);
}

static const char *site_name(uint32_t site, char *buffer, size_t size)
{
    return sites_name(recorder_sites(), site, buffer, size);
}

static PyObject *row_of(const struct ledger_sum *sum, const struct clock_scale *s)
{
    char name[SITE_STRING_MAX + 1];
    return Py_BuildValue("(sKKK)", site_name(sum->site, name, sizeof name), (unsigned long long)sum->calls,
                         (unsigned long long)clock_scale_duration(s, sum->inclusive),
                         (unsigned long long)clock_scale_duration(s, sum->exclusive));
}

PyDoc_STRVAR(timings_doc, "timings()\n--\n\nOne tuple per name: (name, calls, inclusive ns, exclusive ns), up to now. Calls count from their\n"
                          "beginning, their time once they end. A recursive function's inclusive time is that of its outermost calls.");
static PyObject *collector_timings(PyObject *self, PyObject *unused)
{
    const struct ledger *l = ((struct collector *)self)->ledger;
    (void)unused;
    PyObject *list = PyList_New(0);
    struct clock_scale s = {.ns_per_tick = 1};
    if (l->count)
        s = scale();
    for (uint32_t i = 0; list && i < l->count; i++) {
        PyObject *row = row_of(&l->sum[i], &s);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

PyDoc_STRVAR(total_doc, "total_duration_ns()\n--\n\nNanoseconds inside, all stays together; while inside, up to now. Of a collector that was never entered:\n"
                        "from the first call it recorded to the end of the last.");
static PyObject *collector_total(PyObject *self, PyObject *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    uint64_t ticks = c->total + (c->stay ? clock_ticks() - c->begin : 0);
    if (!ticks && c->ledger->last > c->ledger->first)
        ticks = c->ledger->last - c->ledger->first;
    if (!ticks)
        return PyLong_FromLong(0);
    struct clock_scale s = scale();
    return PyLong_FromUnsignedLongLong(clock_scale_duration(&s, ticks));
}

static PyObject *collector_is_active(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct collector *)self)->stay != NULL);
}

static PyObject *get_name(PyObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(((struct collector *)self)->name);
}

static PyObject *get_complete(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct collector *)self)->ledger->complete);
}

static PyMethodDef collector_methods[] = {
    {"__enter__", collector_enter, METH_NOARGS, NULL},
    {"__exit__", collector_exit, METH_VARARGS, NULL},
    {"timings", collector_timings, METH_NOARGS, timings_doc},
    {"total_duration_ns", collector_total, METH_NOARGS, total_doc},
    {"is_active", collector_is_active, METH_NOARGS, PyDoc_STR("is_active()\n--\n\nTrue between entering and leaving.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef collector_attributes[] = {
    {"name", get_name, NULL, PyDoc_STR("The collector's name."), NULL},
    {"complete", get_complete, NULL, PyDoc_STR("False: something of it could not be recorded, or calls were open at a reset."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject collector_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core.Collector",
    .tp_doc = PyDoc_STR("Collector(name=\"default\")\n--\n\nRecord what the enclosed code calls."),
    .tp_basicsize = sizeof(struct collector),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = collector_new,
    .tp_init = collector_init,
    .tp_dealloc = collector_dealloc,
    .tp_methods = collector_methods,
    .tp_getset = collector_attributes,
};

int collector_add_type(PyObject *module)
{
    if (PyType_Ready(&collector_type) < 0)
        return -1;
    Py_INCREF(&collector_type);
    return PyModule_AddObject(module, "Collector", (PyObject *)&collector_type);
}
