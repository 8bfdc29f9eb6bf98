#include "collector.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "calls.h"
#include "clock.h"
#include "consumers.h"
#include "demand.h"
#include "lifetime.h"
#include "recorder.h"
#include "scope.h"

/* When it was made, on all clocks. */
struct origin {
    uint64_t ticks;
    uint64_t perf_counter;
    int64_t realtime;   /* what time.time_ns() was more */
    double ns_per_tick; /* 0: not measured since it was last entered or left */
};

/* A call that _begin(name) began. */
struct manual {
    PyObject *name;
    struct manual *below;
};

struct collector {
    PyObject_HEAD
    PyObject *name;
    struct ledger *ledger;
    struct stay *stay;   /* the latest; on several threads, maybe */
    uint64_t first;      /* ticks: when it was first entered; 0: never */
    uint64_t begin, end; /* since it is entered now; when it was left last */
    uint64_t total;      /* ticks of all outermost stays that ended */
    pid_t pid;           /* whose site numbers the ledger has; 0: none yet */
    pid_t latent;        /* the process in which it waits to be found in a variable; 0: it does not, or not any more */
    struct origin origin;
};

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

/* ---- not entered yet ---- */

static bool is_latent(const struct collector *c) { return c->latent && c->latent == recorder_segment()->pid; }

/* Where nothing can be recorded, entering says why. */
static void begin_latent(struct collector *c)
{
    if (!recorder_available())
        return;
    lifetime_settle();
    if (consumers_want_latent() == 0)
        c->latent = recorder_segment()->pid;
    else
        PyErr_Clear();
}

static void end_latent(struct collector *c)
{
    if (is_latent(c))
        consumers_unwant_latent();
    c->latent = 0;
}

/* The latest stay on this thread, or NULL. */
static struct stay *stay_on(const struct collector *c, const struct thread *t)
{
    struct stay *s = c->stay;
    while (s && !(s->thread == t->number && s->pid == recorder_segment()->pid))
        s = s->outer;
    return s;
}

struct ledger *collector_ledger(PyObject *object, const struct thread *t)
{
    if (!PyObject_TypeCheck(object, &collector_type))
        return NULL;
    const struct collector *c = (const struct collector *)object;
    return stay_on(c, t) || (!c->stay && is_latent(c)) ? c->ledger : NULL;
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
    if (!s->chain || !hosts_add(t, s))
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
    lifetime_settle();
    if (consumers_want() < 0) {
        free(s);
        return -1;
    }
    end_latent(c);
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
    if (!t || !settle(c, s, t))
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
    for (const python_frame *f = t ? next_with_code(python_current_frame(PyThreadState_Get())) : NULL; f; f = next_with_code(python_caller(f))) {
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
        consumers_unwant();
}

/* ---- by hand ---- */

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

/* False: it is not entered on this thread, or there is no memory. */
static bool begin_by_hand(struct collector *c, PyObject *name)
{
    struct thread *t = c->stay && recorder_available() ? thread_now() : NULL;
    struct stay *s = t ? stay_on(c, t) : NULL;
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
    calls_block_enter(t, m, site);
    return true;
}

/* The innermost one of that name. */
static bool end_by_hand(struct collector *c, PyObject *name)
{
    struct thread *t = c->stay && recorder_available() ? thread_now() : NULL;
    struct stay *s = t ? stay_on(c, t) : NULL;
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
    begin_latent(c);
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
    while (c->stay) /* dropped without being left: a generator that was collected inside */
        leave(c, &c->stay, false);
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
    struct collector *c = (struct collector *)self;
    if (c->stay)
        leave(c, find_stay(c), raised);
    Py_RETURN_FALSE;
}

PyDoc_STRVAR(begin_doc, "_begin($self, name, /)\n--\n\nA block of that name begins: the number of its entry, -1 if it was not kept. None: not entered on this thread.");
static PyObject *collector_begin(PyObject *self, PyObject *name)
{
    if (!PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "name must be a str, not %.100s", Py_TYPE(name)->tp_name);
    struct collector *c = (struct collector *)self;
    uint64_t kept = c->ledger->tape.kept;
    return number_of(begin_by_hand(c, name), &c->ledger->tape, kept, TAPE_ENTER);
}

PyDoc_STRVAR(end_doc, "_end($self, name, /)\n--\n\nThe innermost block of that name that _begin() began ends: as _begin(). None: there is none.");
static PyObject *collector_end(PyObject *self, PyObject *name)
{
    if (!PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "name must be a str, not %.100s", Py_TYPE(name)->tp_name);
    struct collector *c = (struct collector *)self;
    uint64_t kept = c->ledger->tape.kept;
    return number_of(end_by_hand(c, name), &c->ledger->tape, kept, TAPE_EXIT);
}

static PyObject *name_of(uint32_t site)
{
    char name[SITE_STRING_MAX + 1];
    sites_name(recorder_sites(), site, name, sizeof name);
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyObject *timing_row(struct collector *c, const struct ledger_sum *s)
{
    return Py_BuildValue("(NKKKKK)", name_of(s->site), (unsigned long long)s->calls, (unsigned long long)to_ns(c, s->inclusive),
                         (unsigned long long)to_ns(c, s->exclusive), (unsigned long long)to_ns(c, s->min), (unsigned long long)to_ns(c, s->max));
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

PyDoc_STRVAR(timings_doc, "timings($self, /)\n--\n\nOne tuple per name, in the order of their first ends: (name, calls, inclusive ns, exclusive ns, shortest call's ns, longest\n"
                          "call's ns), up to now. Calls count from their beginning, their time once they end. A recursive function's inclusive\n"
                          "time is that of its outermost calls.");
static PyObject *collector_timings(PyObject *self, PyObject *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    uint32_t count = is_readable(c) ? c->ledger->count : 0;
    const struct ledger_sum **sum = count ? in_order(c->ledger) : NULL;
    if (count && !sum)
        return PyErr_NoMemory();
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < count; i++) {
        PyObject *row = timing_row(c, sum[i]);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    free(sum);
    return list;
}

static PyObject *entry_row(struct collector *c, const struct tape_entry *e, PyObject *name)
{
    static const char *const events[TAPE_EVENTS] = {"enter", "exit", "suspend", "resume"};
    static PyObject *event[TAPE_EVENTS]; /* one str for all entries */
    if (!event[e->event] && !(event[e->event] = PyUnicode_InternFromString(events[e->event])))
        return NULL;
    uint64_t ns = instant(c, e->when);
    return Py_BuildValue("(OOKLkIIOI)", name, event[e->event], (unsigned long long)ns, (long long)ns + c->origin.realtime,
                         c->ledger->tape.thread[e->thread].ident, (unsigned)e->depth, (unsigned)e->thread, e->raised ? Py_True : Py_False,
                         (unsigned)e->number);
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
                       "whether it ended by an exception, number of the entry).");
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
    {"timings", collector_timings, METH_NOARGS, timings_doc},
    {"total_duration_ns", collector_total, METH_NOARGS, total_doc},
    {"entry_count", collector_entry_count, METH_NOARGS, count_doc},
    {"_begin", collector_begin, METH_O, begin_doc},
    {"_end", collector_end, METH_O, end_doc},
    {"_rows", collector_rows, METH_VARARGS, rows_doc},
    {"is_active", collector_is_active, METH_NOARGS, PyDoc_STR("is_active($self, /)\n--\n\nTrue between entering and leaving.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef collector_attributes[] = {
    {"name", get_name, NULL, PyDoc_STR("The collector's name."), NULL},
    {"complete", get_complete, NULL, PyDoc_STR("False: something of it could not be recorded, or calls were open at a reset."), NULL},
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
    const python_frame *f = next_with_code(python_current_frame(PyThreadState_Get()));
    for (int level = -levels; t && t->hosts.count && f; f = next_with_code(python_caller(f)), level++) {
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
