#include "consumer.h"

#include <stdbool.h>
#include <string.h>

#include "arming.h"
#include "consumers.h"
#include "lifetime.h"
#include "own_recording.h"
#include "reading.h"
#include "recorder.h"
#include "tables.h"
#include "text.h"

struct consumer_object {
    PyObject_HEAD
    struct consumer_handle *handle; /* NULL: __new__ failed */
};

static struct consumer_handle *handle_of(PyObject *self) { return ((struct consumer_object *)self)->handle; }

/* ---- making and removing ---- */

static const struct {
    const char *name;
    enum consumer_kind kind;
} kinds[] = {{"profiler", CONSUMER_PROFILER}, {"yappi", CONSUMER_YAPPI}};

static enum consumer_kind kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    PyErr_Format(PyExc_ValueError, "kind must be \"profiler\" or \"yappi\", not \"%.100s\"", name);
    return CONSUMER_FREE;
}

static PyObject *consumer_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"kind", "name", "everything", NULL};
    const char *kind_name, *name;
    int everything = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "ss|$p:_Consumer", names, &kind_name, &name, &everything))
        return NULL;
    enum consumer_kind kind = kind_of(kind_name);
    if (kind == CONSUMER_FREE)
        return NULL;
    lifetime_settle();
    struct consumer_handle *handle = consumers_new(kind, name, everything);
    struct consumer_object *c = handle ? (struct consumer_object *)type->tp_alloc(type, 0) : NULL;
    if (c)
        c->handle = handle;
    else if (handle) {
        consumers_remove(handle);
        consumers_free(handle);
    }
    return (PyObject *)c;
}

/* In a child that C code forked it is the parent's still, until somebody asks. When the interpreter ends, what was counted for it stays
 * for who reads a file that is kept. */
static void remove_it(struct consumer_handle *handle)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    lifetime_settle();
    consumers_remove(handle);
    PyErr_Restore(type, value, traceback);
}

static void consumer_dealloc(PyObject *self)
{
    struct consumer_handle *handle = handle_of(self);
    if (handle && (handle->gone || Py_IsInitialized())) {
        remove_it(handle);
        consumers_free(handle);
    }
    Py_TYPE(self)->tp_free(self);
}

PyDoc_STRVAR(remove_doc, "remove($self, /)\n--\n\nIt ends, and what was counted for it goes. Again does nothing.");
static PyObject *consumer_remove(PyObject *self, PyObject *unused)
{
    (void)unused;
    remove_it(handle_of(self));
    Py_RETURN_NONE;
}

/* ---- what it does ---- */

static PyObject *changed(enum consumers_change change) { return change == CONSUMERS_FAILED ? NULL : PyBool_FromLong(change == CONSUMERS_DONE); }

PyDoc_STRVAR(begin_doc, "begin($self, /)\n--\n\nCalls that begin from now on, in all threads, are its. True if that is new.");
static PyObject *consumer_begin(PyObject *self, PyObject *unused)
{
    (void)unused;
    lifetime_settle();
    return changed(consumers_begin(handle_of(self), arming_is_time_to_look(), 0));
}

PyDoc_STRVAR(end_doc, "end($self, /)\n--\n\nNo more. Calls that are open are its still, and are cut only if nobody wants records any more. True if that is new.");
static PyObject *consumer_end(PyObject *self, PyObject *unused)
{
    (void)unused;
    lifetime_settle();
    return changed(consumers_end(handle_of(self)));
}

PyDoc_STRVAR(clear_doc, "clear($self, /)\n--\n\nNothing that has begun until now is its any more.");
static PyObject *consumer_clear(PyObject *self, PyObject *unused)
{
    (void)unused;
    lifetime_settle();
    return consumers_clear(handle_of(self)) < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(select_doc, "select($self, rules, /)\n--\n\nFrom now on it selects the functions that these rules mean (control.h), in the place of those before, and of\n"
                         "everything.");
static PyObject *consumer_select(PyObject *self, PyObject *text)
{
    struct rules rules;
    const char *utf8 = PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : NULL;
    if (!utf8)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "rules must be a str, not %.100s", Py_TYPE(text)->tp_name);
    if (rules_parse(&rules, utf8) < 0)
        return PyErr_NoMemory();
    lifetime_settle();
    return consumers_select(handle_of(self), &rules) < 0 ? NULL : Py_NewRef(Py_None);
}

static bool site_of(PyObject *number, uint32_t *site)
{
    unsigned long n = PyLong_AsUnsignedLong(number);
    if (n == (unsigned long)-1 && PyErr_Occurred())
        return false;
    uint32_t most = recorder_available() ? atomic_load_explicit(&recorder_segment()->header->site_count, memory_order_relaxed) : UINT32_MAX;
    if (!n || n > most)
        PyErr_Format(PyExc_ValueError, "there is no site %lu in the present recording", n);
    *site = (uint32_t)n;
    return n && n <= most;
}

static PyObject *choose(PyObject *self, PyObject *numbers, bool on)
{
    lifetime_settle();
    PyObject *sequence = PySequence_Fast(numbers, "sites must be a sequence of int");
    Py_ssize_t count = sequence ? PySequence_Fast_GET_SIZE(sequence) : 0;
    uint32_t *site = sequence ? PyMem_New(uint32_t, count + 1) : NULL;
    bool known = site != NULL;
    for (Py_ssize_t i = 0; i < count && known; i++)
        known = site_of(PySequence_Fast_GET_ITEM(sequence, i), &site[i]);
    int r = known ? consumers_choose(handle_of(self), site, (size_t)count, on) : -1;
    Py_XDECREF(sequence);
    PyMem_Free(site);
    if (r < 0 && !PyErr_Occurred())
        PyErr_NoMemory();
    return r < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *choose_one(PyObject *self, PyObject *number, bool on)
{
    PyObject *numbers = PyTuple_Pack(1, number), *done = numbers ? choose(self, numbers, on) : NULL;
    Py_XDECREF(numbers);
    return done;
}

PyDoc_STRVAR(select_site_doc, "select_site($self, site, /)\n--\n\nFrom now on it sees this site, too.");
static PyObject *consumer_select_site(PyObject *self, PyObject *site) { return choose_one(self, site, true); }

PyDoc_STRVAR(select_sites_doc, "select_sites($self, sites, /)\n--\n\nThe same for several, which is one change.");
static PyObject *consumer_select_sites(PyObject *self, PyObject *sites) { return choose(self, sites, true); }

PyDoc_STRVAR(deselect_site_doc, "deselect_site($self, site, /)\n--\n\nCalls of this site that begin from now on are not its, unless its rules mean it.");
static PyObject *consumer_deselect_site(PyObject *self, PyObject *site) { return choose_one(self, site, false); }

PyDoc_STRVAR(deselect_sites_doc, "deselect_sites($self, sites, /)\n--\n\nThe same for several, which is one change.");
static PyObject *consumer_deselect_sites(PyObject *self, PyObject *sites) { return choose(self, sites, false); }

PyDoc_STRVAR(read_doc, "read($self, /, *, threads=False, pairs=False)\n--\n\nWhat was counted for it since its zero, open calls up to now: see _Reading.");
static PyObject *consumer_read(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"threads", "pairs", NULL};
    int threads = 0, pairs = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$pp:read", names, &threads, &pairs))
        return NULL;
    lifetime_settle();
    const struct consumer_handle *handle = handle_of(self);
    if (consumers_refuse() || consumers_refuse_gone(handle))
        return NULL;
    return reading_take(membership_number(handle->member), threads, pairs);
}

PyDoc_STRVAR(tables_doc, "tables($self, known, pairs=True, /)\n--\n\nThe same as packed numbers: see _Tables. known: a bit a site whose names are not wanted.");
static PyObject *consumer_tables(PyObject *self, PyObject *args)
{
    Py_buffer known;
    int pairs = 1;
    if (!PyArg_ParseTuple(args, "y*|p:tables", &known, &pairs))
        return NULL;
    lifetime_settle();
    const struct consumer_handle *handle = handle_of(self);
    bool refused = consumers_refuse() || consumers_refuse_gone(handle);
    PyObject *made = refused ? NULL : tables_take(membership_number(handle->member), &known, pairs);
    PyBuffer_Release(&known);
    return made;
}

/* ---- as a file ---- */

/* The threads that are asked for: a sequence of their numbers, or None. To be freed. */
static bool take_tids(PyObject *tids, struct own_recording_choice *c, uint32_t **tid)
{
    *tid = NULL;
    if (tids == Py_None)
        return true;
    PyObject *sequence = PySequence_Fast(tids, "tids must be a sequence of int, or None");
    c->tids = sequence ? (size_t)PySequence_Fast_GET_SIZE(sequence) : 0;
    *tid = sequence ? PyMem_New(uint32_t, c->tids + 1) : NULL;
    for (size_t i = 0; *tid && i < c->tids && !PyErr_Occurred(); i++)
        (*tid)[i] = (uint32_t)PyLong_AsUnsignedLong(PySequence_Fast_GET_ITEM(sequence, (Py_ssize_t)i));
    c->tid = *tid;
    if (sequence && !*tid)
        PyErr_NoMemory();
    Py_XDECREF(sequence);
    return !PyErr_Occurred();
}

static bool choose_own(PyObject *self, PyObject *tids, struct own_recording_choice *c, uint32_t **tid)
{
    const struct consumer_handle *handle = handle_of(self);
    *tid = NULL;
    lifetime_settle();
    if (consumers_refuse() || consumers_refuse_gone(handle))
        return false;
    *c = (struct own_recording_choice){.consumer = membership_number(handle->member)};
    return take_tids(tids, c, tid);
}

PyDoc_STRVAR(save_doc, "_save($self, fd, tids=None, /)\n--\n\nWrites what was counted for it as a capture file, uncompressed. tids: of these threads only.");
static PyObject *consumer_save(PyObject *self, PyObject *args)
{
    int fd;
    PyObject *tids = Py_None;
    struct own_recording_choice choice;
    uint32_t *tid;
    if (!PyArg_ParseTuple(args, "i|O:_save", &fd, &tids))
        return NULL;
    PyObject *done = choose_own(self, tids, &choice, &tid) ? output_save(fd, own_recording_take, &choice) : NULL;
    PyMem_Free(tid);
    return done;
}

PyDoc_STRVAR(convert_doc, "_convert($self, format, metric, invert, tids=None, /)\n--\n\nThe same as the bytes of a file for other programs.");
static PyObject *consumer_convert(PyObject *self, PyObject *args)
{
    struct output_form form;
    PyObject *tids = Py_None;
    struct own_recording_choice choice;
    uint32_t *tid;
    if (!PyArg_ParseTuple(args, "ssp|O:_convert", &form.format, &form.metric, &form.invert, &tids))
        return NULL;
    PyObject *made = choose_own(self, tids, &choice, &tid) ? output_convert(&form, own_recording_take, &choice) : NULL;
    PyMem_Free(tid);
    return made;
}

/* ---- what readers are told of a profiler ---- */

static uint32_t number_of(PyObject *self)
{
    const struct consumer_handle *handle = handle_of(self);
    return consumers_refuse() || consumers_refuse_gone(handle) ? 0 : membership_number(handle->member);
}

PyDoc_STRVAR(tell_switches_doc, "tell_switches($self, started, everybody, /)\n--\n\nIts own switch is on, and that of all profilers is.");
static PyObject *consumer_tell_switches(PyObject *self, PyObject *args)
{
    int started, everybody;
    if (!PyArg_ParseTuple(args, "pp:tell_switches", &started, &everybody) || !number_of(self))
        return NULL;
    membership_switch(handle_of(self)->member, (started ? CONSUMER_STARTED : 0u) | (everybody ? CONSUMER_GLOBAL : 0u));
    Py_RETURN_NONE;
}

/* Adds what is told: `id` and `name` are str, the latter maybe None. */
static PyObject *add_row(PyObject *self, struct track *t, PyObject *id, PyObject *name)
{
    PyObject *kept[2];
    t->profiler = number_of(self);
    if (!t->profiler)
        return NULL;
    t->id = text_utf8(id, &kept[0]);
    t->name = text_utf8(name, &kept[1]);
    uint32_t row = tracks_add(recorder_tracks(), t);
    Py_XDECREF(kept[0]);
    Py_XDECREF(kept[1]);
    return PyLong_FromUnsignedLong(row);
}

PyDoc_STRVAR(tell_track_doc, "tell_track($self, id, is_word, enabled, name, /)\n--\n\nOf a track that is new. Its row; 0: there is no room for it.");
static PyObject *consumer_tell_track(PyObject *self, PyObject *args)
{
    int is_word, enabled;
    PyObject *id, *name;
    if (!PyArg_ParseTuple(args, "UppO:tell_track", &id, &is_word, &enabled, &name))
        return NULL;
    struct track t = {.flags = (enabled ? TRACK_ENABLED : 0u) | (is_word ? TRACK_WORD : 0u)};
    return add_row(self, &t, id, name);
}

PyDoc_STRVAR(tell_place_doc, "tell_place($self, track, site, name, /)\n--\n\nOf a place in the track with this row. Its own row; 0: as before.");
static PyObject *consumer_tell_place(PyObject *self, PyObject *args)
{
    struct track t = {.flags = 0};
    PyObject *name;
    if (!PyArg_ParseTuple(args, "IIU:tell_place", &t.track, &t.site, &name))
        return NULL;
    return add_row(self, &t, name, NULL);
}

PyDoc_STRVAR(change_track_doc, "change_track($self, track, is_word, enabled, name, /)\n--\n\nWhat else is to be known of it now.");
static PyObject *consumer_change_track(PyObject *self, PyObject *args)
{
    unsigned int row;
    int is_word, enabled;
    PyObject *name, *kept;
    if (!PyArg_ParseTuple(args, "IppO:change_track", &row, &is_word, &enabled, &name) || !number_of(self))
        return NULL;
    const char *text = text_utf8(name, &kept);
    tracks_change(recorder_tracks(), row, (enabled ? TRACK_ENABLED : 0u) | (is_word ? TRACK_WORD : 0u), text);
    Py_XDECREF(kept);
    Py_RETURN_NONE;
}

static PyObject *get_number(PyObject *self, void *unused)
{
    const struct consumer_handle *handle = handle_of(self);
    (void)unused;
    return PyLong_FromUnsignedLong(handle->gone ? 0 : membership_number(handle->member));
}

static PyObject *get_is_running(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(handle_of(self)->running);
}

static PyObject *get_name(PyObject *self, void *unused)
{
    const char *name = handle_of(self)->name;
    (void)unused;
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyMethodDef consumer_methods[] = {
    {"begin", consumer_begin, METH_NOARGS, begin_doc},
    {"end", consumer_end, METH_NOARGS, end_doc},
    {"clear", consumer_clear, METH_NOARGS, clear_doc},
    {"remove", consumer_remove, METH_NOARGS, remove_doc},
    {"select", consumer_select, METH_O, select_doc},
    {"select_site", consumer_select_site, METH_O, select_site_doc},
    {"select_sites", consumer_select_sites, METH_O, select_sites_doc},
    {"deselect_site", consumer_deselect_site, METH_O, deselect_site_doc},
    {"deselect_sites", consumer_deselect_sites, METH_O, deselect_sites_doc},
    {"read", (PyCFunction)(void (*)(void))consumer_read, METH_VARARGS | METH_KEYWORDS, read_doc},
    {"tables", consumer_tables, METH_VARARGS, tables_doc},
    {"_save", consumer_save, METH_VARARGS, save_doc},
    {"_convert", consumer_convert, METH_VARARGS, convert_doc},
    {"tell_switches", consumer_tell_switches, METH_VARARGS, tell_switches_doc},
    {"tell_track", consumer_tell_track, METH_VARARGS, tell_track_doc},
    {"change_track", consumer_change_track, METH_VARARGS, change_track_doc},
    {"tell_place", consumer_tell_place, METH_VARARGS, tell_place_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef consumer_attributes[] = {
    {"number", get_number, NULL, PyDoc_STR("Its number in the segment; 0: it is gone."), NULL},
    {"is_running", get_is_running, NULL, PyDoc_STR("True between begin() and end()."), NULL},
    {"name", get_name, NULL, PyDoc_STR("Its name, maybe cut."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject consumer_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core._Consumer",
    .tp_doc = PyDoc_STR("_Consumer(kind, name, *, everything=False)\n--\n\nSomebody who wants records: all that are made, or of what it selects."),
    .tp_basicsize = sizeof(struct consumer_object),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = consumer_new,
    .tp_dealloc = consumer_dealloc,
    .tp_methods = consumer_methods,
    .tp_getset = consumer_attributes,
};

int consumer_add_type(PyObject *module)
{
    if (PyType_Ready(&consumer_type) < 0)
        return -1;
    Py_INCREF(&consumer_type);
    return PyModule_AddObject(module, "_Consumer", (PyObject *)&consumer_type);
}
