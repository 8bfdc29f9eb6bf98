#include "collector.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "collector_recording.h"
#include "consumers.h"
#include "demand.h"
#include "lifetime.h"
#include "recorder.h"
#include "stays.h"
#include "text.h"

static PyTypeObject collector_type;

/* ---- nanoseconds: an instant on all clocks, and how long a tick is ---- */

static void note_origin(struct origin *o)
{
    o->ticks = clock_ticks();
    o->perf_counter = clock_ns(CLOCK_MONOTONIC);
    o->realtime = (int64_t)(clock_ns(CLOCK_REALTIME) - o->perf_counter);
}

static double ns_per_tick(struct collector *c)
{
    if (c->origin.ns_per_tick == 0) {
        const struct segment_header *h = recorder_segment()->header;
        struct clock_anchor first = {.ticks = h->anchor_ticks, .monotonic = h->anchor_monotonic};
        c->origin.ns_per_tick = clock_scale_now((enum clock_source)h->clock_source, &first).ns_per_tick;
    }
    return c->origin.ns_per_tick;
}

static uint64_t to_ns(struct collector *c, uint64_t ticks) { return ticks ? (uint64_t)((double)ticks * ns_per_tick(c) + 0.5) : 0; }

/* On the scale of time.perf_counter_ns(). */
static uint64_t instant(struct collector *c, uint64_t ticks)
{
    const struct origin *o = &c->origin;
    return ticks >= o->ticks ? o->perf_counter + to_ns(c, ticks - o->ticks) : o->perf_counter - to_ns(c, o->ticks - ticks);
}

/* A forked child has the numbers of its parent, but not their names. */
static bool is_readable(const struct collector *c) { return c->pid && c->pid == recorder_segment()->pid; }

struct ledger *collector_ledger(PyObject *object, const struct thread *t)
{
    if (!PyObject_TypeCheck(object, &collector_type))
        return NULL;
    const struct collector *c = (const struct collector *)object;
    return stays_on(c, t) || (!c->stay && stays_is_latent(c)) ? c->ledger : NULL;
}

/* Number of the latest entry of this kind among those added since; -1: it was not kept. */
static long long entry_since(const struct tape *t, uint64_t kept, unsigned event)
{
    for (uint64_t i = t->kept; i-- > kept;)
        if (t->entry[i].event == event)
            return t->entry[i].number;
    return -1;
}

static PyObject *number_of(bool recorded, const struct tape *t, uint64_t kept, unsigned event)
{
    if (!recorded)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(entry_since(t, kept, event));
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
    note_origin(&c->origin);
    stays_begin_latent(c);
    c->pid = c->latent;
    return (PyObject *)c;
}

static int collector_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "max_entries", NULL};
    struct collector *c = (struct collector *)self;
    PyObject *name = c->name;
    long long cap = TAPE_DEFAULT_CAP;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|UL:Timestamp_Collector", names, &name, &cap))
        return -1;
    if (cap < 0 || cap > INT32_MAX) {
        PyErr_Format(PyExc_ValueError, "max_entries must be from 0 to %d, not %lld", INT32_MAX, cap);
        return -1;
    }
    c->ledger->tape.cap = (uint64_t)cap;
    Py_INCREF(name);
    Py_XSETREF(c->name, name);
    return 0;
}

static void collector_dealloc(PyObject *self)
{
    struct collector *c = (struct collector *)self;
    stays_leave_all(c); /* dropped without being left: a generator that was collected inside */
    stays_end_latent(c);
    Py_XDECREF(c->name);
    if (c->ledger)
        ledger_disown(c->ledger);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *collector_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct collector *c = (struct collector *)self;
    return stays_enter(c, c->name) < 0 ? NULL : Py_NewRef(self);
}

PyDoc_STRVAR(join_doc, "_join($self, /)\n--\n\nAs __enter__(), for what goes on elsewhere of a stay that there is: it is no other call of that name.");
static PyObject *collector_join(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct collector *c = (struct collector *)self;
    PyObject *name = PyUnicode_FromFormat("%U (continued)", c->name);
    int error = name ? stays_enter(c, name) : -1;
    Py_XDECREF(name);
    return error < 0 ? NULL : Py_NewRef(self);
}

static PyObject *collector_exit(PyObject *self, PyObject *args)
{
    bool raised = PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) != Py_None;
    stays_leave((struct collector *)self, raised);
    Py_RETURN_FALSE;
}

PyDoc_STRVAR(begin_doc, "_begin($self, name, /)\n--\n\nA block of that name begins: the number of its entry, -1 if it was not kept. None: not entered on this thread.");
static PyObject *collector_begin(PyObject *self, PyObject *name)
{
    if (!PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "name must be a str, not %.100s", Py_TYPE(name)->tp_name);
    struct collector *c = (struct collector *)self;
    uint64_t kept = c->ledger->tape.kept;
    return number_of(stays_begin_by_hand(c, name), &c->ledger->tape, kept, TAPE_ENTER);
}

PyDoc_STRVAR(end_doc, "_end($self, name, /)\n--\n\nThe innermost block of that name that _begin() began ends: as _begin(). None: there is none.");
static PyObject *collector_end(PyObject *self, PyObject *name)
{
    if (!PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "name must be a str, not %.100s", Py_TYPE(name)->tp_name);
    struct collector *c = (struct collector *)self;
    uint64_t kept = c->ledger->tape.kept;
    return number_of(stays_end_by_hand(c, name), &c->ledger->tape, kept, TAPE_EXIT);
}

static PyObject *name_of(uint32_t site)
{
    char *name = PyMem_Malloc(SITE_STRING_MAX + 1); /* too much for a small stack */
    PyObject *text = name ? text_of_name(sites_name(recorder_sites(), site, name, SITE_STRING_MAX + 1)) : PyErr_NoMemory();
    PyMem_Free(name);
    return text;
}

typedef PyObject *make_row(struct collector *c, const struct ledger_sum *s);

static PyObject *timing_row(struct collector *c, const struct ledger_sum *s)
{
    return Py_BuildValue("(NKKKKK)", name_of(s->site), (unsigned long long)s->calls, (unsigned long long)to_ns(c, s->inclusive),
                         (unsigned long long)to_ns(c, s->exclusive), (unsigned long long)to_ns(c, s->min), (unsigned long long)to_ns(c, s->max));
}

static PyObject *elapsed_row(struct collector *c, const struct ledger_sum *s)
{
    return Py_BuildValue("(NKKK)", name_of(s->site), (unsigned long long)to_ns(c, s->elapsed), (unsigned long long)to_ns(c, s->elapsed_min),
                         (unsigned long long)to_ns(c, s->elapsed_max));
}

/* Sums in the order of their first ends; then those of which no call ended. To be freed; NULL: no memory. */
static const struct ledger_sum **in_order(const struct ledger *l)
{
    const struct ledger_sum **sorted = calloc(l->count + 1, sizeof *sorted);
    uint32_t open = l->ended;
    for (uint32_t i = 0; sorted && i < l->count; i++)
        sorted[l->sum[i].order ? l->sum[i].order - 1 : open++] = &l->sum[i];
    return sorted;
}

static PyObject *rows_of(struct collector *c, make_row *make)
{
    uint32_t count = is_readable(c) ? c->ledger->count : 0;
    const struct ledger_sum **sum = count ? in_order(c->ledger) : NULL;
    if (count && !sum)
        return PyErr_NoMemory();
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < count; i++) {
        PyObject *row = make(c, sum[i]);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    free(sum);
    return list;
}

PyDoc_STRVAR(timings_doc, "timings($self, /)\n--\n\nOne tuple per name, in the order of their first ends: (name, calls, inclusive ns, exclusive ns, shortest call's ns, longest\n"
                          "call's ns), up to now. Calls count from their beginning, their time once they end. A recursive function's inclusive\n"
                          "time is that of its outermost calls.");
static PyObject *collector_timings(PyObject *self, PyObject *unused)
{
    (void)unused;
    return rows_of((struct collector *)self, timing_row);
}

PyDoc_STRVAR(elapsed_doc, "elapsed_times($self, /)\n--\n\nOne tuple per name, in the order of timings(): (name, elapsed ns, shortest call's ns, longest call's ns). A call's elapsed time\n"
                          "is that from its first start to its return: what generators and coroutines waited in between is part of it.");
static PyObject *collector_elapsed_times(PyObject *self, PyObject *unused)
{
    (void)unused;
    return rows_of((struct collector *)self, elapsed_row);
}

static PyObject *entry_row(struct collector *c, const struct tape_entry *e, PyObject *name)
{
    static const char *const events[TAPE_EVENTS] = {"enter", "exit", "suspend", "resume"};
    static PyObject *event[TAPE_EVENTS]; /* one str for all entries */
    if (!event[e->event] && !(event[e->event] = PyUnicode_InternFromString(events[e->event])))
        return NULL;
    uint64_t ns = instant(c, e->when);
    return Py_BuildValue("(OOKLkIIOII)", name, event[e->event], (unsigned long long)ns, (long long)ns + c->origin.realtime,
                         c->ledger->tape.thread[e->thread].ident, (unsigned)e->depth, (unsigned)e->thread, e->raised ? Py_True : Py_False,
                         (unsigned)e->number, (unsigned)tape_activation(&c->ledger->tape, e->number));
}

/* One str per name: `names` maps site numbers to them. A new reference. */
static PyObject *name_in(PyObject *names, uint32_t site)
{
    PyObject *number = PyLong_FromUnsignedLong(site);
    PyObject *name = number ? PyDict_GetItemWithError(names, number) : NULL;
    Py_XINCREF(name);
    if (!name && number && !PyErr_Occurred()) {
        name = name_of(site);
        if (name && PyDict_SetItem(names, number, name) < 0)
            Py_CLEAR(name);
    }
    Py_XDECREF(number);
    return name;
}

/* Entries are looked at by index: making objects may run a collection of garbage, and with it code that records. */
static PyObject *entry_at(struct collector *c, Py_ssize_t i, PyObject *names)
{
    struct tape_entry e = c->ledger->tape.entry[i];
    PyObject *name = name_in(names, e.site);
    PyObject *row = name ? entry_row(c, &e, name) : NULL;
    Py_XDECREF(name);
    return row;
}

PyDoc_STRVAR(rows_doc, "_rows($self, start, stop, /)\n--\n\nEntries [start, stop) by time: (name, event, timestamp ns, clock ns, thread, depth, number of the thread in here,\n"
                       "whether it ended by an exception, number of the entry, number of the activation that waits or goes on; 0: not known).");
static PyObject *collector_rows(PyObject *self, PyObject *args)
{
    struct collector *c = (struct collector *)self;
    struct tape *t = &c->ledger->tape;
    Py_ssize_t start, stop;
    if (!PyArg_ParseTuple(args, "nn", &start, &stop))
        return NULL;
    tape_sort(t);
    Py_ssize_t kept = is_readable(c) ? (Py_ssize_t)t->kept : 0;
    start = start < 0 ? 0 : start;
    stop = stop > kept ? kept : stop;
    PyObject *list = PyList_New(0), *names = PyDict_New();
    for (Py_ssize_t i = start; list && names && i < stop; i++) {
        PyObject *row = entry_at(c, i, names);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    Py_XDECREF(names);
    return names ? list : NULL;
}

static uint64_t latent_ticks(const struct ledger *l) { return l->last > l->first ? l->last - l->first : 0; }

PyDoc_STRVAR(total_doc, "total_duration_ns($self, /)\n--\n\nNanoseconds inside, all stays together; while inside, up to now. Of a collector that was never entered:\n"
                        "from the first call it recorded to the end of the last.");
static PyObject *collector_total(PyObject *self, PyObject *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    uint64_t ticks = c->total + (c->stay ? clock_ticks() - c->begin : 0);
    return PyLong_FromUnsignedLongLong(to_ns(c, c->first ? ticks : latent_ticks(c->ledger)));
}

static PyObject *collector_is_active(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct collector *)self)->stay != NULL);
}

PyDoc_STRVAR(save_doc, "_save($self, fd, /)\n--\n\nWrites what it has as a capture file, uncompressed.");
static PyObject *collector_save(PyObject *self, PyObject *args)
{
    int fd;
    if (!PyArg_ParseTuple(args, "i:_save", &fd))
        return NULL;
    lifetime_settle();
    return consumers_refuse() ? NULL : output_save(fd, collector_recording_take, self);
}

PyDoc_STRVAR(convert_doc, "_convert($self, format, metric, invert, /)\n--\n\nThe same as the bytes of a file for other programs.");
static PyObject *collector_convert(PyObject *self, PyObject *args)
{
    struct output_form form;
    if (!PyArg_ParseTuple(args, "ssp:_convert", &form.format, &form.metric, &form.invert))
        return NULL;
    lifetime_settle();
    return consumers_refuse() ? NULL : output_convert(&form, collector_recording_take, self);
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

PyDoc_STRVAR(count_doc, "entry_count($self, /)\n--\n\nNumber of entries: two for each call, its beginning and its end, and two for each time that a generator, coroutine or\n"
                        "block of a task waits; dropped ones included.");
static PyObject *collector_entry_count(PyObject *self, PyObject *unused)
{
    const struct tape *t = &((struct collector *)self)->ledger->tape;
    (void)unused;
    return PyLong_FromUnsignedLongLong(t->kept + t->dropped);
}

static PyObject *get_kept(PyObject *self, void *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    return PyLong_FromUnsignedLongLong(is_readable(c) ? c->ledger->tape.kept : 0);
}

static PyObject *get_dropped(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(((struct collector *)self)->ledger->tape.dropped);
}

static PyObject *get_max_entries(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(((struct collector *)self)->ledger->tape.cap);
}

static PyObject *get_start(PyObject *self, void *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    uint64_t ticks = c->first ? c->first : c->ledger->first;
    return PyLong_FromUnsignedLongLong(ticks ? instant(c, ticks) : 0);
}

static PyObject *get_end(PyObject *self, void *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    uint64_t ticks = c->first ? c->end : c->ledger->last;
    return PyLong_FromUnsignedLongLong(c->stay || !ticks ? 0 : instant(c, ticks));
}

static PyMethodDef collector_methods[] = {
    {"__enter__", collector_enter, METH_NOARGS, NULL},
    {"__exit__", collector_exit, METH_VARARGS, NULL},
    {"_join", collector_join, METH_NOARGS, join_doc},
    {"timings", collector_timings, METH_NOARGS, timings_doc},
    {"elapsed_times", collector_elapsed_times, METH_NOARGS, elapsed_doc},
    {"total_duration_ns", collector_total, METH_NOARGS, total_doc},
    {"entry_count", collector_entry_count, METH_NOARGS, count_doc},
    {"_begin", collector_begin, METH_O, begin_doc},
    {"_end", collector_end, METH_O, end_doc},
    {"_rows", collector_rows, METH_VARARGS, rows_doc},
    {"_save", collector_save, METH_VARARGS, save_doc},
    {"_convert", collector_convert, METH_VARARGS, convert_doc},
    {"is_active", collector_is_active, METH_NOARGS, PyDoc_STR("is_active($self, /)\n--\n\nTrue between entering and leaving.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef collector_attributes[] = {
    {"name", get_name, NULL, PyDoc_STR("The collector's name."), NULL},
    {"complete", get_complete, NULL, PyDoc_STR("False: something of it could not be recorded."), NULL},
    {"start_time_ns", get_start, NULL, PyDoc_STR("When it was first entered, on the scale of time.perf_counter_ns(); 0: never."), NULL},
    {"end_time_ns", get_end, NULL, PyDoc_STR("When it was last left, on the same scale; 0: never, or it is entered."), NULL},
    {"max_entries", get_max_entries, NULL, PyDoc_STR("Entries that are kept at most; timings count all."), NULL},
    {"dropped", get_dropped, NULL, PyDoc_STR("Entries that were not kept."), NULL},
    {"_kept", get_kept, NULL, PyDoc_STR("Entries that were kept."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject collector_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core.Collector",
    .tp_doc = PyDoc_STR("Collector(name=\"default\", max_entries=1000000)\n--\n\nRecord what the enclosed code calls."),
    .tp_basicsize = sizeof(struct collector),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = collector_new,
    .tp_init = collector_init,
    .tp_dealloc = collector_dealloc,
    .tp_methods = collector_methods,
    .tp_getset = collector_attributes,
};

PyObject *collector_nearest(int levels, PyObject **distance)
{
    struct thread *t = demand_on ? thread_here : NULL;
    const python_frame *f = python_next_with_code(python_current_frame(PyThreadState_Get()));
    for (int level = -levels; t && t->hosts.count && f; f = python_next_with_code(python_caller(f)), level++) {
        const struct stay *s = hosts_entered_by(&t->hosts, f);
        if (s) {
            *distance = PyLong_FromLong(level);
            return *distance ? Py_NewRef(s->collector) : NULL;
        }
    }
    return NULL;
}

int collector_add_type(PyObject *module)
{
    if (PyType_Ready(&collector_type) < 0)
        return -1;
    Py_INCREF(&collector_type);
    return PyModule_AddObject(module, "Collector", (PyObject *)&collector_type);
}
