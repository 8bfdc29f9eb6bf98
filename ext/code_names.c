#include "code_names.h"

#if !PYTHON_311_AND_LATER

#include <stdlib.h>
#include <string.h>

#define Py_BUILD_CORE
#include <internal/pycore_interp.h>
#undef Py_BUILD_CORE
#include <opcode.h>

#include "builtin_modules.h"
#include "clock.h"
#include "code_origin.h"
#include "counts.h"

#define LEVELS 64                /* of functions in functions that are looked into */
#define LOOK_NS 1000000000ull    /* for all looks at all functions together, */
#define LOOK_SHARE 20            /* and a twentieth of the time that goes by */

/* ---- what a code object makes: constants, and instructions that name them ---- */

typedef void made(PyCodeObject *code, PyObject *name, void *context);

static bool has_code(PyObject *constants)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++)
        if (PyCode_Check(PyTuple_GET_ITEM(constants, i)))
            return true;
    return false;
}

/* LOAD_CONST of the code, LOAD_CONST of its qualified name, MAKE_FUNCTION: compiler_make_closure() in Python/compile.c. */
static void each_made(const PyCodeObject *maker, made *visit, void *context)
{
    PyObject *constants = maker->co_consts, *last = NULL, *before = NULL;
    if (!has_code(constants))
        return;
    const unsigned char *p = (const unsigned char *)PyBytes_AS_STRING(maker->co_code);
    size_t argument = 0, size = (size_t)PyBytes_GET_SIZE(maker->co_code), count = (size_t)PyTuple_GET_SIZE(constants);
    for (size_t i = 0; i + 1 < size; i += PYTHON_CODE_UNIT) {
        argument = argument << 8 | p[i + 1];
        if (p[i] == EXTENDED_ARG)
            continue;
        if (p[i] == MAKE_FUNCTION && before && last && PyCode_Check(before) && PyUnicode_Check(last))
            visit((PyCodeObject *)before, last, context);
        before = last;
        last = p[i] == LOAD_CONST && argument < count ? PyTuple_GET_ITEM(constants, (Py_ssize_t)argument) : NULL;
        argument = 0;
    }
}

struct wanted {
    const PyCodeObject *code;
    PyObject *name;
};

static void note_if_wanted(PyCodeObject *code, PyObject *name, void *context)
{
    struct wanted *w = context;
    if (code == w->code)
        w->name = name;
}

PyObject *code_names_made(const PyCodeObject *maker, const PyCodeObject *code)
{
    struct wanted w = {.code = code};
    each_made(maker, note_if_wanted, &w);
    return w.name;
}

/* ---- what a function says ---- */

static bool ends_with(PyObject *qualname, PyObject *name)
{
    Py_ssize_t q = PyUnicode_GET_LENGTH(qualname), n = PyUnicode_GET_LENGTH(name);
    return PyUnicode_Tailmatch(qualname, name, 0, q, +1) == 1 && (q == n || PyUnicode_READ_CHAR(qualname, q - n - 1) == '.');
}

static bool is_nested(PyObject *qualname)
{
    const char *text = PyUnicode_AsUTF8(qualname);
    PyErr_Clear();
    return text && strstr(text, ".<locals>.");
}

bool code_names_own(PyFunctionObject *function)
{
    const PyCodeObject *code = (const PyCodeObject *)function->func_code;
    PyObject *name = function->func_qualname;
    return ends_with(name, code->co_name) && !code_origin_wrapped(function) && is_nested(name) == !!(code->co_flags & CO_NESTED);
}

/* ---- all functions: in the lists of the garbage collector, those of gc.freeze() included ---- */

struct functions {
    PyFunctionObject **function; /* borrowed: nothing is freed while they are looked at */
    size_t count, room;
};

static bool lists_are_known; /* the interpreter that runs has them where the one of our headers has them */

/* One that the collector has cleared, and somebody still holds, has neither. */
static bool is_whole(const PyFunctionObject *function) { return function->func_code && function->func_qualname; }

static bool add_function(struct functions *all, PyFunctionObject *function)
{
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 1024;
        PyFunctionObject **more = realloc(all->function, room * sizeof(PyFunctionObject *));
        if (!more)
            return false;
        all->function = more;
        all->room = room;
    }
    all->function[all->count++] = function;
    return true;
}

static void add_list(struct functions *all, PyGC_Head *head)
{
    for (PyGC_Head *g = _PyGCHead_NEXT(head); g != head; g = _PyGCHead_NEXT(g)) {
        PyObject *o = (PyObject *)(g + 1);
        if (PyFunction_Check(o) && is_whole((PyFunctionObject *)o) && !add_function(all, (PyFunctionObject *)o))
            return;
    }
}

/* None while a collection is going on, which has some of them in lists of its own. */
static void find_functions(struct functions *all)
{
    struct _gc_runtime_state *gc = &PyInterpreterState_Get()->gc;
    if (!lists_are_known || gc->collecting)
        return;
    for (int i = 0; i < NUM_GENERATIONS; i++)
        add_list(all, &gc->generations[i].head);
    add_list(all, &gc->permanent_generation.head);
}

/* ---- the names that were found ---- */

struct entry {
    PyCodeObject *code; /* both owned: else another one could lie in the same place */
    PyObject *name;
};

static struct {
    struct entry *entry;
    uint32_t count, room;
    struct counts number; /* address of a code object -> 1 + index of its entry */
} n;

static uint64_t asked_since, looked_for; /* ns */

void code_names_forget(void)
{
    for (uint32_t i = 0; i < n.count; i++) {
        Py_DECREF(n.entry[i].code);
        Py_DECREF(n.entry[i].name);
    }
    free(n.entry);
    counts_free(&n.number);
    memset(&n, 0, sizeof n);
}

static PyObject *name_kept(const PyCodeObject *code)
{
    uint32_t number = n.number.room ? counts_get(&n.number, (uintptr_t)code) : 0;
    return number ? n.entry[number - 1].name : NULL;
}

/* The first one stands. */
static void keep(PyCodeObject *code, PyObject *name)
{
    if (name_kept(code) || (!n.number.room && !counts_init(&n.number)))
        return;
    if (n.count == n.room) {
        uint32_t room = n.room ? 2 * n.room : 1024;
        struct entry *more = realloc(n.entry, room * sizeof *more);
        if (!more)
            return;
        n.entry = more;
        n.room = room;
    }
    if (!counts_set(&n.number, (uintptr_t)code, n.count + 1))
        return;
    Py_INCREF(code);
    n.entry[n.count++] = (struct entry){.code = code, .name = Py_NewRef(name)};
}

static void keep_made(PyCodeObject *code, PyObject *name, void *context)
{
    int levels = *(int *)context - 1;
    if (name_kept(code))
        return;
    keep(code, name);
    if (levels > 0)
        each_made(code, keep_made, &levels);
}

/* What is compiled into the code around it is certain. What a function says may be another's name, but hardly where nothing
 * speaks against it; of generated code there is nothing else. */
static void look_for_names(void)
{
    struct functions all = {0};
    code_names_forget();
    find_functions(&all);
    for (size_t i = 0; i < all.count; i++)
        each_made((PyCodeObject *)all.function[i]->func_code, keep_made, &(int){LEVELS});
    for (size_t i = 0; i < all.count; i++)
        if (code_names_own(all.function[i]))
            keep((PyCodeObject *)all.function[i]->func_code, all.function[i]->func_qualname);
    for (size_t i = 0; i < all.count; i++)
        if (code_origin_is_generated((PyCodeObject *)all.function[i]->func_code) && !code_origin_wrapped(all.function[i]))
            keep((PyCodeObject *)all.function[i]->func_code, all.function[i]->func_qualname);
    free(all.function);
}

PyObject *code_names_find(const PyCodeObject *code)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (!name_kept(code) && looked_for <= LOOK_NS + (now - asked_since) / LOOK_SHARE) {
        look_for_names();
        looked_for += clock_ns(CLOCK_MONOTONIC) - now;
    }
    return name_kept(code);
}

/* The collector's thresholds lie beside its lists. */
int code_names_prepare(void)
{
    int said[NUM_GENERATIONS];
    PyObject *gc = builtin_module("gc");
    PyObject *thresholds = gc ? PyObject_CallMethod(gc, "get_threshold", NULL) : NULL;
    bool read = thresholds && PyArg_ParseTuple(thresholds, "iii", &said[0], &said[1], &said[2]);
    Py_XDECREF(thresholds);
    Py_XDECREF(gc);
    lists_are_known = read;
    for (int i = 0; i < NUM_GENERATIONS; i++)
        lists_are_known = lists_are_known && PyInterpreterState_Get()->gc.generations[i].threshold == said[i];
    asked_since = clock_ns(CLOCK_MONOTONIC);
    looked_for = 0;
    return read ? 0 : -1;
}

#endif
