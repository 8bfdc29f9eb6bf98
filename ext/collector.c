#include "collector.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "clock.h"
#include "recorder.h"

struct sum {
    uint32_t site;
    int64_t calls, inclusive, exclusive; /* inclusive, exclusive: ticks */
};

/* One stay inside: a collector may be entered again while it is. */
struct stay {
    struct collector_scope scope; /* first: the thread's list is of these */
    struct stay *outer;           /* of the same collector */
    struct thread *thread;
    uint32_t epoch;
    pid_t pid; /* a forked child inherits the stay, not the recording */
};

struct collector {
    PyObject_HEAD
    PyObject *name;
    struct stay *stay;
    struct sum *sum;
    size_t sums, room;
    struct sum *before; /* the same when the outermost stay began, should its part not be known in the end */
    size_t sums_before;
    uint64_t begin, end; /* ticks, of the outermost stay */
    uint64_t total;      /* ticks of all outermost stays that ended */
    bool complete;
};

static struct sum *sum_of(struct collector *c, uint32_t site)
{
    for (size_t i = 0; i < c->sums; i++)
        if (c->sum[i].site == site)
            return &c->sum[i];
    if (c->sums == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        struct sum *more = realloc(c->sum, room * sizeof *more);
        if (!more)
            return NULL;
        c->sum = more;
        c->room = room;
    }
    c->sum[c->sums] = (struct sum){.site = site};
    return &c->sum[c->sums++];
}

static void keep_sums(struct collector *c)
{
    free(c->before);
    c->before = malloc((c->sums + 1) * sizeof *c->before);
    c->sums_before = c->before ? c->sums : 0;
    if (c->sums_before)
        memcpy(c->before, c->sum, c->sums * sizeof *c->sum);
}

static void restore_sums(struct collector *c)
{
    free(c->sum);
    c->sum = c->before;
    c->sums = c->room = c->sums_before;
    c->before = NULL;
}

/* ---- reading the own thread's tree ---- */

struct reading {
    struct collector *c;
    const struct folder *f;
    segment_ref top; /* the collector's node */
    int sign;
};

static const struct node *node_at(const struct reading *r, segment_ref ref) { return segment_at(r->f->base, ref); }

/* 0: not below the collector's node; 1: below; 2: below, and its site is also that of a node in between: recursion. */
static int relation(const struct reading *r, const struct node *n)
{
    int found = 1;
    for (segment_ref up = n->parent; up; up = node_at(r, up)->parent) {
        if (up == r->top)
            return found;
        if (node_at(r, up)->site == n->site)
            found = 2;
    }
    return 0;
}

static void add_node(struct reading *r, const struct node *n)
{
    int below = relation(r, n);
    struct sum *s = below && (n->calls || n->inclusive) ? sum_of(r->c, n->site) : NULL;
    if (!s) {
        r->c->complete &= !below || !(n->calls || n->inclusive);
        return;
    }
    s->calls += r->sign * (int64_t)n->calls;
    s->exclusive += r->sign * (int64_t)(n->inclusive - n->children);
    if (below == 1)
        s->inclusive += r->sign * (int64_t)n->inclusive;
}

/* Adds (sign 1) or subtracts (-1) what lies below the collector's node, which is on top of the folded stack. */
static void read_tree(struct collector *c, struct writer *w, int sign)
{
    struct reading r = {.c = c, .f = &w->folder, .top = w->folder.top_node, .sign = sign};
    if (!r.top || node_at(&r, r.top)->flags) { /* no memory, or paths were given up: what is below cannot be told */
        c->complete = false;
        return;
    }
    for (uint32_t number = w->lane->chain[PAGE_NODE]; number;) {
        const struct page_header *page = segment_page_at(w->folder.base, number);
        const struct node *n = (const struct node *)((const char *)page + PAGE_ITEMS_OFFSET);
        for (uint32_t i = 0; i < page->used; i++)
            add_node(&r, &n[i]);
        number = page->used ? page->next : 0;
    }
}

/* ---- entering and leaving ---- */

/* Is this a frame that enters something for somebody else? */
static bool enters_for_its_caller(const PyCodeObject *code)
{
    static const char *const names[] = {"__enter__", "__aenter__", "enter_context", "enter_async_context"};
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

/* Collectors further out whose frames are not on the stack belong to other tasks or generators: what comes now is not
 * theirs, but comes below them. */
static void mark_strangers(struct collector_scope *scope)
{
    for (struct collector_scope *s = scope->outer; s; s = s->outer) {
        const python_frame *f = scope->host;
        while (f && !recorder_is_host(s, f))
            f = python_caller(f);
        s->mixed |= !f;
    }
}

static void put_on(struct thread *t, struct stay *s)
{
    const python_frame *host = find_host();
    PyCodeObject *code = host ? python_frame_code(host) : NULL;
    Py_XINCREF(code);
    s->scope = (struct collector_scope){.host = host, .code = code, .outer = t->scope};
    t->scope = &s->scope;
    mark_strangers(&s->scope);
    recorder_set_usual(t);
}

static void take_off(struct thread *t, struct stay *s)
{
    struct collector_scope **link = &t->scope;
    while (*link && *link != &s->scope)
        link = &(*link)->outer;
    if (*link)
        *link = s->scope.outer;
    recorder_set_usual(t);
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
    struct thread *t = recorder_thread();
    s->pid = recorder_segment()->pid;
    s->outer = c->stay;
    if (!c->stay)
        c->begin = clock_ticks();
    c->stay = s;
    uint32_t site = t ? block_site(c->name, SITE_COLLECTOR) : 0;
    if (!site) {
        c->complete = false;
        return 0;
    }
    s->thread = t;
    s->epoch = t->epoch;
    put_on(t, s);
    recorder_block_enter(t, s, site, OPEN_COLLECTOR);
    writer_flush(t->writer);
    if (!s->outer) {
        keep_sums(c);
        read_tree(c, t->writer, -1);
    }
    return 0;
}

/* On top: its part of the tree is as it was left. False: it is not there, or tasks that took turns have later ones above. */
static bool is_on_top(struct thread *t, const struct stay *s)
{
    for (uint32_t depth = t->writer->depth; depth && t->open[depth].id != s; depth--)
        if (t->open[depth].what & OPEN_COLLECTOR && !(t->open[depth].what & OPEN_ENDED))
            return false;
    return recorder_on_top(t, s);
}

/* True: its numbers are whole. */
static bool leave_thread(struct collector *c, struct stay *s, bool raised)
{
    struct thread *t = s->thread;
    take_off(t, s);
    bool whole = t->epoch == s->epoch && !s->scope.mixed && is_on_top(t, s);
    if (whole) {
        writer_flush(t->writer);
        if (!s->outer)
            read_tree(c, t->writer, 1);
    }
    if (t->epoch == s->epoch)
        recorder_block_exit(t, s, raised);
    return whole;
}

static void leave(struct collector *c, bool raised)
{
    struct stay *s = c->stay;
    bool here = recorder_available() && s->pid == recorder_segment()->pid;
    struct thread *t = here ? recorder_thread() : NULL;
    c->stay = s->outer;
    c->end = clock_ticks();
    if (!c->stay)
        c->total += c->end - c->begin;
    bool same_thread = t && t == s->thread;
    bool whole = same_thread && leave_thread(c, s, raised);
    c->complete &= whole;
    if (!whole && !s->outer && s->thread)
        restore_sums(c);
    Py_CLEAR(s->scope.code);
    if (same_thread || !s->thread)
        free(s);
    else
        s->scope.host = NULL; /* left elsewhere: the thread that entered may have it in its list still, or be gone */
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
    c->complete = true;
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
    Py_XDECREF(c->name);
    free(c->sum);
    free(c->before);
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

static int64_t to_ns(const struct clock_scale *s, int64_t ticks) { return ticks < 0 ? 0 : (int64_t)clock_scale_duration(s, (uint64_t)ticks); }

static const char *site_name(uint32_t site, char *buffer, size_t size)
{
    return sites_name(recorder_sites(), site, buffer, size);
}

PyDoc_STRVAR(timings_doc, "timings()\n--\n\nOne tuple per name: (name, calls, inclusive ns, exclusive ns), of the stays that ended. A recursive\n"
                          "function's inclusive time is that of its outermost calls.");
static PyObject *collector_timings(PyObject *self, PyObject *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    PyObject *list = PyList_New(0);
    struct clock_scale s = {.ns_per_tick = 1};
    if (c->sums)
        s = scale();
    for (size_t i = 0; list && i < c->sums; i++) {
        char name[SITE_STRING_MAX + 1];
        if (c->sum[i].calls <= 0 && c->sum[i].inclusive <= 0)
            continue;
        PyObject *row = Py_BuildValue("(sLLL)", site_name(c->sum[i].site, name, sizeof name), (long long)c->sum[i].calls,
                                      (long long)to_ns(&s, c->sum[i].inclusive), (long long)to_ns(&s, c->sum[i].exclusive));
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

PyDoc_STRVAR(total_doc, "total_duration_ns()\n--\n\nNanoseconds inside, all stays together; while inside, up to now.");
static PyObject *collector_total(PyObject *self, PyObject *unused)
{
    struct collector *c = (struct collector *)self;
    (void)unused;
    uint64_t ticks = c->total + (c->stay ? clock_ticks() - c->begin : 0);
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
    return PyBool_FromLong(((struct collector *)self)->complete);
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
    {"complete", get_complete, NULL, PyDoc_STR("False: something of it could not be recorded, or was reset from outside."), NULL},
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
