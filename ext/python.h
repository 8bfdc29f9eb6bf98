/* Python.h, and the few places where we look inside CPython: one per fact, each with the versions it holds for. */
#ifndef TSCAP_PYTHON_H
#define TSCAP_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if PY_VERSION_HEX < 0x03090000 || PY_VERSION_HEX >= 0x03100000
#error "CPython 3.9 to 3.15 are supported"
#endif

#define PYTHON_311_AND_LATER (PY_VERSION_HEX >= 0x030b0000)
#define PYTHON_HAS_MONITORING (PY_VERSION_HEX >= 0x030c0000)

/* What we keep about functions, sessions and names is guarded by the interpreter's lock. A free-threaded build has none, so
 * there nothing is ever recorded, and nothing but this is said about it: import, decorators and blocks do no more than
 * look at constants, collectors and start() raise. */
#ifdef Py_GIL_DISABLED
#define PYTHON_HAS_LOCK 0
#else
#define PYTHON_HAS_LOCK 1
#endif

#if PY_VERSION_HEX < 0x030b0000
#include <frameobject.h>
typedef PyFrameObject python_frame;
#elif PY_VERSION_HEX < 0x030c0000
#define Py_BUILD_CORE
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#undef RESUME /* an opcode */
typedef _PyInterpreterFrame python_frame;
#elif PY_VERSION_HEX >= 0x030e0000
#define Py_BUILD_CORE
#include <internal/pycore_interpframe_structs.h>
#undef Py_BUILD_CORE
typedef struct _PyInterpreterFrame python_frame;
#else
/* Include/internal/pycore_frame.h: 3.12 and 3.13 agree on these. */
typedef struct python_frame {
    PyObject *executable;
    struct python_frame *previous;
    PyObject *function, *globals, *builtins, *locals, *object;
    void *instruction;
    int stack_top;
    uint16_t return_offset;
    char owner;
    PyObject *local[1];
} python_frame;
#define PYTHON_FRAME_OWNED_BY_CSTACK 3
#endif

/* What a dict has under this name (borrowed); NULL: nothing, or there was no memory to look. No exception is left by it, none is lost,
 * and nothing is written to stderr: PyDict_GetItemString() tells there of an error, from 3.13 on. */
static inline PyObject *python_dict_get(PyObject *dict, const char *name)
{
    PyObject *type, *value, *traceback, *key, *found;
    PyErr_Fetch(&type, &value, &traceback);
    key = PyUnicode_FromString(name);
    found = key ? PyDict_GetItemWithError(dict, key) : NULL;
    Py_XDECREF(key);
    PyErr_Restore(type, value, traceback);
    return found;
}

/* The interpreter ends: modules go, and code that still runs may find nothing that it needs. */
static inline bool python_is_finalizing(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

static inline PyThreadState *python_this_thread(void)
{
#if PY_VERSION_HEX < 0x030d0000
    return _PyThreadState_UncheckedGet();
#else
    return PyThreadState_GetUnchecked();
#endif
}

/* What a weak reference refers to, a new reference; NULL: it is gone. */
static inline PyObject *python_weakref_get(PyObject *reference)
{
#if PY_VERSION_HEX < 0x030d0000
    PyObject *o = PyWeakref_GetObject(reference);
    if (!o || o == Py_None)
        return NULL;
    Py_INCREF(o);
    return o;
#else
    PyObject *o;
    return PyWeakref_GetRef(reference, &o) > 0 ? o : NULL;
#endif
}

/* Is what a weak reference refers to gone? */
static inline bool python_weakref_is_dead(PyObject *reference)
{
    PyObject *o = python_weakref_get(reference);
    Py_XDECREF(o);
    return !o;
}

#define PYTHON_CODE_UNIT 2 /* bytes of an instruction (Include/cpython/code.h, _Py_CODEUNIT) */

/* The frame that runs now; NULL outside of Python code. Borrowed. */
static inline python_frame *python_current_frame(PyThreadState *ts)
{
#if PY_VERSION_HEX < 0x030b0000
    return ts->frame;
#elif PY_VERSION_HEX < 0x030d0000
    return (python_frame *)ts->cframe->current_frame;
#else
    return (python_frame *)ts->current_frame;
#endif
}

static inline python_frame *python_caller(const python_frame *f)
{
#if PY_VERSION_HEX < 0x030b0000
    return f->f_back;
#else
    return f->previous;
#endif
}

#if PY_VERSION_HEX >= 0x030e0000
/* A reference in a frame, whose lowest two bits say how it is counted (Include/internal/pycore_stackref.h). Borrowed; NULL:
 * none, or something that is no object (Py_INT_TAG). */
static inline PyObject *python_object(_PyStackRef reference)
{
    return reference.bits & 2 ? NULL : (PyObject *)(reference.bits & ~(uintptr_t)3);
}
#endif

/* What the frame runs, a code object, borrowed; NULL: one of the interpreter's own frames between C and Python (3.12). */
static inline PyCodeObject *python_frame_any_code(const python_frame *f)
{
#if PY_VERSION_HEX < 0x030c0000
    return f->f_code;
#elif PY_VERSION_HEX < 0x030e0000
    return f->owner != PYTHON_FRAME_OWNED_BY_CSTACK ? (PyCodeObject *)f->executable : NULL;
#else
    return f->owner < FRAME_OWNED_BY_INTERPRETER ? (PyCodeObject *)python_object(f->f_executable) : NULL;
#endif
}

/* The same of the program's frames alone. Where a class is called again and again, code of the interpreter's own lies between the
 * caller and __init__ (3.13: _Py_InitCleanup in Python/specialize.c). It is constant: who writes to it, be it to its extra slots, ends
 * the process. */
static inline PyCodeObject *python_frame_code(const python_frame *f)
{
    PyCodeObject *code = python_frame_any_code(f);
#ifdef CO_NO_MONITORING_EVENTS
    if (code && code->co_flags & CO_NO_MONITORING_EVENTS)
        return NULL;
#endif
    return code;
}

/* This frame, or the next outside of it that runs code; NULL: there is none. */
static inline const python_frame *python_next_with_code(const python_frame *f)
{
    while (f && !python_frame_code(f))
        f = python_caller(f);
    return f;
}

/* A function's local variable, cell or free variable, by its place; a cell may lie between. Borrowed; NULL: it has no value. */
static inline PyObject *python_frame_local(const python_frame *f, Py_ssize_t place)
{
#if PY_VERSION_HEX < 0x030b0000
    return f->f_localsplus[place];
#elif PY_VERSION_HEX < 0x030c0000
    return f->localsplus[place];
#elif PY_VERSION_HEX < 0x030e0000
    return f->local[place];
#else
    return python_object(f->localsplus[place]);
#endif
}

/* The names of a module's or a class body's frame, usually a dict. Borrowed. */
static inline PyObject *python_frame_names(const python_frame *f)
{
#if PY_VERSION_HEX < 0x030c0000 || PY_VERSION_HEX >= 0x030e0000
    return f->f_locals;
#else
    return f->locals;
#endif
}

/* The place of the variable with this name, which is interned as those of code objects are; -1: there is none. An argument
 * that is a cell variable as well has its value in the cell (3.9, 3.10). */
static inline Py_ssize_t python_place_in(PyObject *names, PyObject *name)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++)
        if (PyTuple_GET_ITEM(names, i) == name)
            return i;
    return -1;
}
static inline Py_ssize_t python_code_local(const PyCodeObject *code, PyObject *name)
{
#if PYTHON_311_AND_LATER
    return python_place_in(code->co_localsplusnames, name);
#else
    Py_ssize_t before = 0, place = python_place_in(code->co_cellvars, name);
    if (place >= 0)
        return code->co_nlocals + place;
    before = code->co_nlocals + PyTuple_GET_SIZE(code->co_cellvars);
    place = python_place_in(code->co_freevars, name);
    return place >= 0 ? before + place : python_place_in(code->co_varnames, name);
#endif
}

#if PYTHON_311_AND_LATER
/* The function that the frame runs, borrowed; something else, or NULL: what it runs is no function's. */
static inline PyObject *python_frame_function(const python_frame *f)
{
#if PY_VERSION_HEX < 0x030c0000
    return (PyObject *)f->f_func;
#elif PY_VERSION_HEX < 0x030e0000
    return f->function;
#else
    return python_object(f->f_funcobj);
#endif
}
#endif

static inline PyObject *python_frame_globals(const python_frame *f) /* borrowed */
{
#if PY_VERSION_HEX < 0x030c0000 || PY_VERSION_HEX >= 0x030e0000
    return f->f_globals;
#else
    return f->globals;
#endif
}

/* The generator or coroutine whose frame this is, borrowed, or NULL; and what an activation of it is known by, which is the same
 * whenever it runs. */
#if PY_VERSION_HEX < 0x030b0000
static inline PyObject *python_generator_of(const python_frame *f) { return f->f_gen; }
#elif PY_VERSION_HEX < 0x030c0000
static inline PyObject *python_generator_of(const python_frame *f)
{
    return f->owner == FRAME_OWNED_BY_GENERATOR ? (PyObject *)((char *)(uintptr_t)f - offsetof(PyGenObject, gi_iframe)) : NULL;
}
#endif
static inline uint64_t python_generator_key(const python_frame *f)
{
#if PYTHON_HAS_MONITORING
    return (uintptr_t)f; /* stays where it is */
#else
    return (uintptr_t)python_generator_of(f);
#endif
}

/* Objects/codeobject.c, _PyCodeObjectExtra: the same in 3.9 to 3.15. What PyUnstable_Code_GetExtra reads, without a call. */
struct python_code_extra {
    Py_ssize_t size;
    void *extra[1];
};

static inline uintptr_t python_code_extra(const PyCodeObject *code, Py_ssize_t index)
{
    const struct python_code_extra *x = (const struct python_code_extra *)code->co_extra;
    return x && x->size > index ? (uintptr_t)x->extra[index] : 0;
}

/* The same for a code object that is known to have one. */
static inline uintptr_t python_code_own_extra(const PyCodeObject *code, Py_ssize_t index)
{
    return (uintptr_t)((const struct python_code_extra *)code->co_extra)->extra[index];
}

/* Changing a value in place, since setting one over another releases the old (Objects/codeobject.c). */
static inline int python_code_set_extra(PyCodeObject *code, Py_ssize_t index, uintptr_t value)
{
    struct python_code_extra *x = (struct python_code_extra *)code->co_extra;
    if (x && x->size > index && x->extra[index]) {
        x->extra[index] = (void *)value;
        return 0;
    }
#if PYTHON_HAS_MONITORING
    return PyUnstable_Code_SetExtra((PyObject *)code, index, (void *)value);
#else
    return _PyCode_SetExtra((PyObject *)code, index, (void *)value);
#endif
}

static inline Py_ssize_t python_request_extra(freefunc release)
{
#if PYTHON_HAS_MONITORING
    return PyUnstable_Eval_RequestCodeExtraIndex(release);
#else
    return _PyEval_RequestCodeExtraIndex(release);
#endif
}

#if PY_VERSION_HEX < 0x030a0000
static inline PyObject *Py_NewRef(PyObject *o)
{
    Py_INCREF(o);
    return o;
}
#endif

#define PYTHON_GENERATOR_FLAGS (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)

#endif
