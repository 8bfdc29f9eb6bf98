#include "functions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "code_origin.h"
#include "demand.h"
#include "greenlets.h"
#include "qualname.h"
#include "recorder.h"
#include "selection.h"
#include "text.h"

/* What a code object's extra slot holds: 1 + index of its mark, and its site (0: none yet). Or that nobody wants it
 * recorded, as far as the selections of a certain generation go. */
#define EXTRA(index, site) ((uintptr_t)((index) + 1) << 32 | (site))
#define EXTRA_INDEX(extra) ((uint32_t)((extra) >> 32) - 1)
#define EXTRA_REJECTED(generation) ((uintptr_t)(0x80000000u | (generation)) << 32)
#define EXTRA_IS_REJECTED(extra) ((uint64_t)(extra) >> 63)
#define GENERATIONS 0x7fffffffu

struct mark {
    PyCodeObject *code; /* borrowed: release() is called before it goes; NULL: free entry */
    PyObject *function; /* weak reference to the function decorated last, or NULL */
    PyObject *name, *qualname, *module;
    PyObject *origin; /* where its code comes from */
    uint32_t site;
    uint32_t next_free;
    bool decorated;
    selection_set selected; /* whose it is */
};

Py_ssize_t functions_extra;
uintptr_t functions_rejected;

static struct {
    struct mark *mark;
    uint32_t count, room;
    uint32_t free; /* 1 + index of a free entry, 0: none */
    uint64_t live, decorated;
    uint32_t generation; /* of the selections */
    bool unpublished;    /* some mark has no site */
    functions_visit *follow; /* of what is published; NULL: nobody asks */
    void *context;
} f;

/* For readers: how many there are, also before recording first starts. A file that is kept keeps the count of the end. */
static void count_marks(int change)
{
    f.live += (uint64_t)change;
    if (recorder_available() && !demand_is_of_parent() && Py_IsInitialized())
        atomic_store_explicit(&recorder_segment()->header->decorated, (uint32_t)f.live, memory_order_relaxed);
}

/* A marked code object is being freed. */
static void release(void *p)
{
    uintptr_t extra = (uintptr_t)p;
    if (!extra || EXTRA_IS_REJECTED(extra) || EXTRA_INDEX(extra) >= f.count)
        return;
    uint32_t index = EXTRA_INDEX(extra);
    struct mark old = f.mark[index];
    f.decorated -= old.decorated;
    f.mark[index] = (struct mark){.next_free = f.free};
    f.free = index + 1;
    count_marks(-1);
    Py_XDECREF(old.function);
    Py_XDECREF(old.name);
    Py_XDECREF(old.qualname);
    Py_XDECREF(old.module);
    Py_XDECREF(old.origin);
}

int functions_init(void)
{
    functions_extra = python_request_extra(release);
    if (functions_extra < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no slot left for extra data of code objects");
        return -1;
    }
    return 0;
}

uint64_t functions_count(void) { return f.live; }
uint64_t functions_decorated(void) { return f.decorated; }

static struct mark *mark_of(const PyCodeObject *code)
{
    uintptr_t extra = python_code_extra(code, functions_extra);
    return extra && !EXTRA_IS_REJECTED(extra) ? &f.mark[EXTRA_INDEX(extra)] : NULL;
}

static uint32_t new_mark(void)
{
    if (f.free) {
        uint32_t index = f.free - 1;
        f.free = f.mark[index].next_free;
        return index;
    }
    if (f.count == f.room) {
        uint32_t room = f.room ? 2 * f.room : 64;
        struct mark *more = realloc(f.mark, room * sizeof *more);
        if (!more)
            return UINT32_MAX;
        f.mark = more;
        f.room = room;
    }
    return f.count++;
}

/* Is `code` one of the constants of `definition`: is the function being defined right here? */
static bool defined_by(const PyCodeObject *code, const PyCodeObject *definition)
{
    if (!definition)
        return false;
    PyObject *constants = definition->co_consts;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++)
        if (PyTuple_GET_ITEM(constants, i) == (PyObject *)code)
            return true;
    return false;
}

/* May the mark go on this very code object? Yes if nobody else can ever run it (the function owns the only reference), or
 * if it is decorated where it is defined: then so is each function that this definition makes. */
static bool may_mark(const PyCodeObject *code, const PyCodeObject *definition)
{
    return Py_REFCNT(code) == 1 || defined_by(code, definition);
}

/* Another code object of the same content for this function alone. Replacing __code__ makes the interpreter forget that it
 * may specialise calls of this function (Objects/funcobject.c, func_version); the copy's own version says the same. */
static int give_own_code(PyFunctionObject *function)
{
    PyObject *replace = PyObject_GetAttrString(function->func_code, "replace");
    PyObject *copy = replace ? PyObject_CallNoArgs(replace) : NULL;
    Py_XDECREF(replace);
    if (!copy)
        return -1;
    int r = PyObject_SetAttrString((PyObject *)function, "__code__", copy);
#if PYTHON_HAS_MONITORING
    if (r == 0)
        function->func_version = ((PyCodeObject *)copy)->co_version;
#endif
    Py_DECREF(copy);
    return r;
}

static bool same_text(PyObject *a, PyObject *b)
{
    return a == b || (a && b && PyUnicode_Check(a) && PyUnicode_Check(b) && PyUnicode_Compare(a, b) == 0);
}

static PyObject *text_attribute(PyFunctionObject *function, const char *attribute)
{
    PyObject *text = PyObject_GetAttrString((PyObject *)function, attribute);
    if (!text || !PyUnicode_Check(text)) {
        PyErr_Clear();
        Py_XDECREF(text);
        text = PyUnicode_FromString("");
    }
    return text;
}

static void note_function(struct mark *m, PyFunctionObject *function)
{
    PyObject *old = m->function;
    m->function = PyWeakref_NewRef((PyObject *)function, NULL);
    if (!m->function)
        PyErr_Clear();
    Py_XDECREF(old);
}

/* Takes over the reference to the module. */
static int mark_code(PyCodeObject *code, PyObject *name, PyObject *qualname, PyObject *module, PyObject *origin)
{
    uint32_t index = new_mark();
    if (index == UINT32_MAX) {
        Py_XDECREF(module);
        PyErr_NoMemory();
        return -1;
    }
    f.mark[index] = (struct mark){.code = code, .name = name, .qualname = qualname, .module = module, .origin = origin};
    Py_INCREF(name);
    Py_INCREF(qualname);
    Py_INCREF(origin);
    count_marks(1);
    if (python_code_set_extra(code, functions_extra, EXTRA(index, 0)) < 0) {
        release((void *)EXTRA(index, 0));
        if (!PyErr_Occurred()) /* 3.9 to 3.15 say it without one */
            PyErr_NoMemory();
        return -1;
    }
    f.unpublished = true;
    return (int)index;
}

/* Where code comes from: generated code belongs to the module whose names it uses. Borrowed. */
static PyObject *origin_of(const PyCodeObject *code, PyObject *globals)
{
    PyObject *file = globals && code_origin_is_generated(code) ? PyDict_GetItemString(globals, "__file__") : NULL;
    return file && PyUnicode_Check(file) ? file : code->co_filename;
}

static selection_set who_wants(PyObject *module, PyObject *qualname, PyObject *origin)
{
    PyObject *kept[3];
    if (!selection_any())
        return 0;
    selection_set set = selection_wants(text_utf8(module, &kept[0]), text_utf8(qualname, &kept[1]), text_utf8(origin, &kept[2]));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        Py_XDECREF(kept[i]);
    return set;
}

static void note_decorated(struct mark *m)
{
    f.decorated += !m->decorated;
    m->decorated = true;
}

static int add_mark(PyFunctionObject *function, PyObject *name, PyObject *qualname)
{
    PyCodeObject *code = (PyCodeObject *)function->func_code;
    int index = mark_code(code, name, qualname, text_attribute(function, "__module__"), origin_of(code, function->func_globals));
    if (index < 0)
        return index;
    struct mark *m = &f.mark[index];
    note_decorated(m);
    m->selected = who_wants(m->module, m->qualname, m->origin);
    note_function(m, function);
    return index;
}

static uint32_t site_of_mark(const struct mark *m)
{
    PyObject *kept[4];
    struct site site = {
        .name = text_utf8(m->name, &kept[0]),
        .qualname = text_utf8(m->qualname, &kept[1]),
        .module = text_utf8(m->module, &kept[2]),
        .file = text_utf8(m->code->co_filename, &kept[3]),
        .line = (uint32_t)m->code->co_firstlineno,
        .kind = SITE_FUNCTION,
    };
    if (strcmp(site.module, FUNCTIONS_OWN_MODULE) == 0)
        site.kind = SITE_OWN;
    uint32_t number = sites_intern(recorder_sites(), &site);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        Py_XDECREF(kept[i]);
    return number;
}

static int publish(uint32_t index)
{
    struct mark *m = &f.mark[index];
    if (!m->code || m->site)
        return 0;
    m->site = site_of_mark(m);
    python_code_set_extra(m->code, functions_extra, EXTRA(index, m->site));
    if (!f.follow)
        return 0;
    PyObject *function = m->function ? python_weakref_get(m->function) : NULL;
    int r = f.follow(m->code, function && PyFunction_Check(function) ? (PyFunctionObject *)function : NULL, f.context);
    Py_XDECREF(function);
    return r;
}

int functions_decorate(PyFunctionObject *function, PyObject *name, PyCodeObject *definition)
{
    PyObject *qualname = text_attribute(function, "__qualname__");
    if (!qualname)
        return -1;
    if (!name || name == Py_None)
        name = qualname;
    struct mark *m = mark_of((PyCodeObject *)function->func_code);
    int r = 0;
    if (m && same_text(m->name, name) && same_text(m->qualname, qualname)) {
        note_decorated(m);
        note_function(m, function);
        Py_DECREF(qualname);
        return 0;
    }
    if (m || !may_mark((PyCodeObject *)function->func_code, definition))
        r = give_own_code(function);
    if (r == 0)
        r = add_mark(function, name, qualname);
    Py_DECREF(qualname);
    if (r >= 0 && f.follow && !demand_is_of_parent()) {
        greenlets_look();
        r = publish((uint32_t)r);
    }
    return r < 0 ? -1 : 0;
}

/* A function whose __code__ was replaced since (autoreloaders do that) is recorded under its old name and new code. */
static int follow_replaced(uint32_t index)
{
    struct mark *m = &f.mark[index];
    PyObject *function = m->code && m->function ? python_weakref_get(m->function) : NULL;
    PyObject *now = function && PyFunction_Check(function) ? ((PyFunctionObject *)function)->func_code : NULL;
    int r = 0;
    if (now && now != (PyObject *)m->code && !mark_of((PyCodeObject *)now))
        r = add_mark((PyFunctionObject *)function, m->name, m->qualname);
    Py_XDECREF(function);
    return r < 0 ? -1 : 0;
}

static int look_for_replaced(void)
{
    uint32_t count = f.count;
    for (uint32_t i = 0; i < count; i++)
        if (follow_replaced(i) < 0)
            return -1;
    return 0;
}

int functions_publish(bool look_again)
{
    if (look_again && look_for_replaced() < 0)
        return -1;
    if (!f.unpublished)
        return 0;
    for (uint32_t i = 0; i < f.count; i++)
        if (publish(i) < 0)
            return -1;
    f.unpublished = false;
    return 0;
}

int functions_each(functions_visit *visit, void *context)
{
    int r = 0;
    for (uint32_t i = 0; i < f.count && r == 0; i++) {
        if (!f.mark[i].code)
            continue;
        PyObject *function = f.mark[i].function ? python_weakref_get(f.mark[i].function) : NULL;
        bool is_function = function && PyFunction_Check(function);
        r = visit(f.mark[i].code, is_function ? (PyFunctionObject *)function : NULL, context);
        Py_XDECREF(function);
    }
    return r;
}

void functions_follow(functions_visit *visit, void *context)
{
    f.follow = visit;
    f.context = context;
}

/* ---- functions that are selected ---- */

static void begin_generation(void)
{
    f.generation = f.generation < GENERATIONS ? f.generation + 1 : 1;
    functions_rejected = selection_any() ? EXTRA_REJECTED(f.generation) : 0;
}

void functions_select(selection_set set)
{
    for (uint32_t i = 0; i < f.count; i++) {
        struct mark *m = &f.mark[i];
        if (m->code)
            m->selected |= set & who_wants(m->module, m->qualname, m->origin);
    }
    begin_generation();
}

void functions_unselect(selection_set set)
{
    for (uint32_t i = 0; i < f.count; i++) {
        PyCodeObject *code = f.mark[i].code;
        f.mark[i].selected &= ~set;
        if (!code || f.mark[i].decorated || f.mark[i].selected)
            continue;
        release((void *)EXTRA(i, 0));
        python_code_set_extra(code, functions_extra, 0);
    }
    begin_generation();
}

/* Bodies of modules and classes are no functions. */
static bool is_function(const PyCodeObject *code) { return (code->co_flags & (CO_OPTIMIZED | CO_NEWLOCALS)) == (CO_OPTIMIZED | CO_NEWLOCALS); }

static bool may_be_wanted(PyObject *module, PyObject *origin)
{
    PyObject *kept[2];
    bool may = selection_may_want(text_utf8(module, &kept[0]), text_utf8(origin, &kept[1]));
    Py_XDECREF(kept[0]);
    Py_XDECREF(kept[1]);
    return may;
}

/* Its mark's index, or -1. */
static int mark_if_selected(PyCodeObject *code, const python_frame *frame)
{
    PyObject *globals = python_frame_globals(frame);
    globals = globals && PyDict_Check(globals) ? globals : NULL;
    PyObject *module = globals ? PyDict_GetItemString(globals, "__name__") : NULL, *origin = origin_of(code, globals); /* borrowed */
    PyObject *qualname = is_function(code) && may_be_wanted(module, origin) ? qualname_of(code, frame) : NULL;
    selection_set set = qualname ? who_wants(module, qualname, origin) : 0;
    int index = -1;
    if (set) {
        Py_XINCREF(module);
        index = mark_code(code, qualname, qualname, module, origin);
    }
    if (index >= 0)
        f.mark[index].selected = set;
    Py_XDECREF(qualname);
    return index;
}

static uint32_t decide(PyCodeObject *code, const python_frame *frame)
{
    int index = mark_if_selected(code, frame);
    if (index < 0) {
        python_code_set_extra(code, functions_extra, functions_rejected);
        return 0;
    }
    publish((uint32_t)index);
    return f.mark[index].site;
}

uint32_t functions_decide(PyCodeObject *code, const python_frame *frame)
{
    PyObject *type, *value, *traceback;
    const struct mark *m = mark_of(code);
    if (m)
        return m->site; /* none: there was no room for it */
    PyErr_Fetch(&type, &value, &traceback); /* a generator may be thrown into */
    uint32_t site = decide(code, frame);
    PyErr_Restore(type, value, traceback);
    return site;
}

void functions_forget_sites(void)
{
    for (uint32_t i = 0; i < f.count; i++)
        if (f.mark[i].code) {
            f.mark[i].site = 0;
            python_code_set_extra(f.mark[i].code, functions_extra, EXTRA(i, 0));
        }
    f.unpublished = true;
}
