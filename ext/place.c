#include "place.h"

#include "calls.h"
#include "demand.h"
#include "membership.h"
#include "openings.h"
#include "recorder.h"
#include "scope.h"
#include "text.h"
#include "thread.h"

struct place {
    PyObject_HEAD
    PyObject *track_idx; /* an int or a str */
    PyObject *name, *file;
    uint32_t track, line; /* `track` is what the segment has */
    uint32_t site, numbering; /* which was current when it got its number */
    struct place *previous, *next; /* of all */
};

struct block {
    PyObject_HEAD
    struct place *place;
    struct opening *open; /* the latest first */
};

/* A Profiler derives from it. */
struct blocks {
    PyObject_HEAD
    PyObject *dormant; /* name -> {track: a block that serves while nobody records}, the track used last beside it: */
    PyObject *last;    /* name -> its block of the track used last */
};

static struct place *places;
static uint32_t numbering = 1; /* of sites: another segment has another one */

/* ---- places ---- */

/* 0: there is no room for it, which is counted. */
static uint32_t new_site(const struct place *p)
{
    PyObject *kept[2];
    struct site site = {.name = text_name(p->name, &kept[0]), .file = text_name(p->file, &kept[1]), .line = p->line, .track = p->track, .kind = SITE_BLOCK};
    site.qualname = site.name;
    uint32_t number = sites_intern(recorder_sites(), &site);
    Py_XDECREF(kept[0]);
    Py_XDECREF(kept[1]);
    if (number)
        membership_add_site(membership_decorated, number);
    return number;
}

static uint32_t site_of(struct place *p)
{
    if (__builtin_expect(p->numbering != numbering, 0)) {
        p->site = new_site(p);
        p->numbering = numbering;
    }
    return p->site;
}

void place_forget_sites(void) { numbering++; }

/* Its site if somebody who runs wants it, else 0. */
static uint32_t wanted_site(struct place *p)
{
    uint32_t site = site_of(p);
    if (!site || !((membership_choosers(site) | membership_decorated | membership_everything) & membership_running))
        return 0;
    membership_note_recorded(site);
    return site;
}

void place_tell(unsigned member)
{
    for (const struct place *p = places; p; p = p->next)
        if (p->site && p->numbering == numbering)
            membership_add_site(MEMBER_BIT(member), p->site);
}

static void link_place(struct place *p)
{
    p->next = places;
    if (places)
        places->previous = p;
    places = p;
}

static void unlink_place(struct place *p)
{
    if (p->next)
        p->next->previous = p->previous;
    if (p->previous)
        p->previous->next = p->next;
    else if (places == p)
        places = p->next;
}

static PyObject *place_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"track_idx", "name", "file", "line", "track", NULL};
    PyObject *track_idx, *name, *file;
    unsigned int line, track;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OUUII:_Place", names, &track_idx, &name, &file, &line, &track))
        return NULL;
    if (!PyLong_Check(track_idx) && !PyUnicode_Check(track_idx))
        return PyErr_Format(PyExc_TypeError, "track_idx must be an int or a str, not %.100s", Py_TYPE(track_idx)->tp_name);
    struct place *p = (struct place *)type->tp_alloc(type, 0);
    if (!p)
        return NULL;
    p->track_idx = Py_NewRef(track_idx);
    p->name = Py_NewRef(name);
    p->file = Py_NewRef(file);
    p->line = line;
    p->track = track;
    link_place(p);
    return (PyObject *)p;
}

static void place_dealloc(PyObject *self)
{
    struct place *p = (struct place *)self;
    unlink_place(p);
    Py_XDECREF(p->track_idx);
    Py_XDECREF(p->name);
    Py_XDECREF(p->file);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *get_site(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(recorder_available() ? site_of((struct place *)self) : 0);
}

static PyGetSetDef place_attributes[] = {
    {"site", get_site, NULL, PyDoc_STR("The number of its site in the present segment; 0: there was no room for it, or nothing is recorded."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject place_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core._Place",
    .tp_doc = PyDoc_STR("_Place(track_idx, name, file, line, track)\n--\n\nWhat blocks are called, and where they are."),
    .tp_basicsize = sizeof(struct place),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = place_new,
    .tp_dealloc = place_dealloc,
    .tp_getset = place_attributes,
};

/* ---- blocks ---- */

static PyTypeObject block_type;

/* One is made and goes each time that a block is recorded. */
#define SPARE_MOST 32
static struct block *spare[SPARE_MOST];
static unsigned spares;

static PyObject *block_of(struct place *p)
{
    struct block *b = spares ? (struct block *)PyObject_Init((PyObject *)spare[--spares], &block_type) : PyObject_New(struct block, &block_type);
    if (b)
        *b = (struct block){.ob_base = b->ob_base, .place = (struct place *)Py_NewRef((PyObject *)p)};
    return (PyObject *)b;
}

static PyObject *block_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"place", NULL};
    PyObject *place;
    (void)type;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!:_Block", names, &place_type, &place))
        return NULL;
    return block_of((struct place *)place);
}

static void block_dealloc(PyObject *self)
{
    struct block *b = (struct block *)self;
    Py_DECREF((PyObject *)b->place);
    while (b->open)
        openings_give(&b->open);
    if (spares < SPARE_MOST)
        spare[spares++] = b;
    else
        PyObject_Free(self);
}

static void enter(struct block *b, struct thread *t, uint32_t site, const python_frame *frame)
{
    const struct opening *o = openings_take(&b->open, frame);
    if (o)
        calls_block_enter(t, o, site, openings_recursion(t, site, frame));
    else
        recorder_count_call_lost();
}

static PyObject *block_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (__builtin_expect(demand_on, 0) && !scope_nobody_here()) {
        struct thread *t = thread_now();
        uint32_t site = t ? wanted_site(((struct block *)self)->place) : 0;
        const python_frame *frame = python_current_frame(PyThreadState_Get());
        if (site && scope_wants(t, frame))
            enter((struct block *)self, t, site, frame);
    }
    Py_RETURN_NONE;
}

/* Closing a generator is no exception. */
static bool is_raised(PyObject *const *args, Py_ssize_t count)
{
    return count > 0 && args[0] != Py_None && !PyErr_GivenExceptionMatches(args[0], PyExc_GeneratorExit);
}

static void leave(struct block *b, bool raised)
{
    const python_frame *frame = python_current_frame(PyThreadState_Get());
    struct thread *t = demand_on && thread_here ? thread_now() : NULL;
    if (t && t->hosts.count) /* its collector may have to be brought back */
        scope_resolve(t, frame);
    struct opening **link = openings_find(&b->open, t, frame);
    if (!link)
        return; /* it was entered while nobody recorded */
    if (t)
        calls_block_exit(t, *link, raised);
    openings_give(link);
}

static PyObject *block_exit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct block *b = (struct block *)self;
    if (__builtin_expect(b->open != NULL, 0))
        leave(b, is_raised(args, count));
    Py_RETURN_FALSE;
}

/* As a decorator: the whole function is the block. */
static PyObject *block_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"function", NULL};
    PyObject *function, *result = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O", names, &function))
        return NULL;
    PyObject *helper = PyImport_ImportModule("timestamp_capture._decorators");
    PyObject *wrap = helper ? PyObject_GetAttrString(helper, "wrap_in_place") : NULL;
    if (wrap)
        result = PyObject_CallFunctionObjArgs(wrap, ((struct block *)self)->place, function, NULL);
    Py_XDECREF(helper);
    Py_XDECREF(wrap);
    return result;
}

static PyObject *block_repr(PyObject *self)
{
    const struct place *p = ((struct block *)self)->place;
    return PyUnicode_FromFormat("<block %R of track %R>", p->name, p->track_idx);
}

static PyMethodDef block_methods[] = {
    {"__enter__", block_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))block_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject block_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core._Block",
    .tp_doc = PyDoc_STR("_Block(place)\n--\n\nA block of a Profiler: recorded while somebody who selected its site runs."),
    .tp_basicsize = sizeof(struct block),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = block_new,
    .tp_dealloc = block_dealloc,
    .tp_call = block_call,
    .tp_repr = block_repr,
    .tp_methods = block_methods,
};

/* ---- where a Profiler finds them ---- */

static PyObject *blocks_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)args, (void)keywords;
    struct blocks *b = (struct blocks *)type->tp_alloc(type, 0);
    if (!b)
        return NULL;
    b->dormant = PyDict_New();
    b->last = PyDict_New();
    if (!b->dormant || !b->last)
        Py_CLEAR(b);
    return (PyObject *)b;
}

static void blocks_dealloc(PyObject *self)
{
    Py_XDECREF(((struct blocks *)self)->dormant);
    Py_XDECREF(((struct blocks *)self)->last);
    Py_TYPE(self)->tp_free(self);
}

/* The block of that name in another track than the last time. Borrowed; NULL: it is not known, maybe with an exception. */
static struct block *find_in_track(struct blocks *b, PyObject *track_idx, PyObject *name)
{
    PyObject *tracks = PyLong_CheckExact(track_idx) || PyUnicode_CheckExact(track_idx) ? PyDict_GetItemWithError(b->dormant, name) : NULL;
    PyObject *found = tracks ? PyDict_GetItemWithError(tracks, track_idx) : NULL;
    if (found && PyDict_SetItem(b->last, name, found) < 0)
        PyErr_Clear(); /* no memory: it is found this way again */
    return (struct block *)found;
}

PyDoc_STRVAR(block_doc, "block($self, track_idx, name, *, bytes=0)\n--\n\n"
                        "``with`` it: the enclosed code is a hit of ``name``. ``bytes``: how many it handles, for MB/s.\n\n"
                        "It may be kept and entered again, also within itself and by several threads. Also a decorator: the whole\n"
                        "function is the block.");
static PyObject *blocks_block(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    struct blocks *b = (struct blocks *)self;
    if (count == 2 && !keywords && PyUnicode_CheckExact(args[1])) {
        struct block *found = (struct block *)PyDict_GetItemWithError(b->last, args[1]);
        if (!found || found->place->track_idx != args[0])
            found = PyErr_Occurred() ? NULL : find_in_track(b, args[0], args[1]);
        if (found) /* while somebody records, tasks that take turns have a block each */
            return demand_on ? block_of(found->place) : Py_NewRef((PyObject *)found);
        if (PyErr_Occurred())
            return NULL;
    }
    PyObject *make = PyObject_GetAttrString(self, "_new_block");
    PyObject *result = make ? PyObject_Vectorcall(make, args, (size_t)count, keywords) : NULL;
    Py_XDECREF(make);
    return result;
}

PyDoc_STRVAR(remember_doc, "_remember_block($self, place, /)\n--\n\nblock() finds it from now on. Its block.");
static PyObject *blocks_remember(PyObject *self, PyObject *place)
{
    struct blocks *b = (struct blocks *)self;
    if (!Py_IS_TYPE(place, &place_type))
        return PyErr_Format(PyExc_TypeError, "place must be a _Place, not %.100s", Py_TYPE(place)->tp_name);
    struct place *p = (struct place *)place;
    PyObject *block = block_of(p);
    PyObject *tracks = PyDict_GetItemWithError(b->dormant, p->name);
    Py_XINCREF(tracks);
    if (block && !tracks && !PyErr_Occurred())
        tracks = PyDict_New();
    if (!block || !tracks || PyDict_SetItem(tracks, p->track_idx, block) < 0 || PyDict_SetItem(b->dormant, p->name, tracks) < 0 ||
        PyDict_SetItem(b->last, p->name, block) < 0)
        Py_CLEAR(block);
    Py_XDECREF(tracks);
    return block;
}

static PyMethodDef blocks_methods[] = {
    {"block", (PyCFunction)(void (*)(void))blocks_block, METH_FASTCALL | METH_KEYWORDS, block_doc},
    {"_remember_block", blocks_remember, METH_O, remember_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject blocks_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core._Blocks",
    .tp_doc = PyDoc_STR("_Blocks()\n--\n\nThe blocks of a Profiler."),
    .tp_basicsize = sizeof(struct blocks),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = blocks_new,
    .tp_dealloc = blocks_dealloc,
    .tp_methods = blocks_methods,
};

int place_add_types(PyObject *module)
{
    const struct {
        const char *name;
        PyTypeObject *type;
    } types[] = {{"_Place", &place_type}, {"_Block", &block_type}, {"_Blocks", &blocks_type}};
    if (openings_init() < 0)
        return -1;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (PyType_Ready(types[i].type) < 0)
            return -1;
        Py_INCREF(types[i].type);
        if (PyModule_AddObject(module, types[i].name, (PyObject *)types[i].type) < 0)
            return -1;
    }
    return 0;
}
