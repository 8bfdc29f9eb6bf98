/* What recording is measured against, for bench_armed.py and bench_dormant.py: the same hook with nothing in it, or with
 * nothing but a clock read, and the clock that a record reads. Built by support.py for the interpreter that runs the bench. */
#include "python.h"

#include <stdbool.h>

#include "clock.h"

PyDoc_STRVAR(clock_reads_doc, "clock_reads(n)\n--\n\nNanoseconds that n reads of the recorder's clock take, in a loop of pairs.");
static PyObject *clock_reads(PyObject *module, PyObject *argument)
{
    (void)module;
    long n = PyLong_AsLong(argument);
    if (n == -1 && PyErr_Occurred())
        return NULL;
    uint64_t before = clock_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < n; i += 2) {
        __asm__ volatile("" ::"r"(clock_ticks()));
        __asm__ volatile("" ::"r"(clock_ticks()));
    }
    return PyLong_FromUnsignedLongLong(clock_ns(CLOCK_MONOTONIC) - before);
}

static inline void read_clock(void) { __asm__ volatile("" ::"r"(clock_ticks())); }

#if PYTHON_HAS_MONITORING

/* A callback that does nothing or reads the clock, called as the recorder's are: a C object by vectorcall. */
struct callback {
    PyObject_HEAD
    vectorcallfunc vectorcall;
};

static PyObject *do_nothing(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    (void)self, (void)arguments, (void)count, (void)names;
    Py_RETURN_NONE;
}

static PyObject *only_read_clock(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
{
    (void)self, (void)arguments, (void)count, (void)names;
    read_clock();
    Py_RETURN_NONE;
}

static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "yardstick.callback",
    .tp_basicsize = sizeof(struct callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_vectorcall_offset = offsetof(struct callback, vectorcall),
    .tp_call = PyVectorcall_Call,
};

PyDoc_STRVAR(callback_doc, "callback(clock)\n--\n\nA callback for sys.monitoring that does nothing or, if clock is true, reads the clock.");
static PyObject *callback(PyObject *module, PyObject *clock)
{
    (void)module;
    if (PyType_Ready(&callback_type) < 0)
        return NULL;
    struct callback *c = PyObject_New(struct callback, &callback_type);
    if (c)
        c->vectorcall = PyObject_IsTrue(clock) ? only_read_clock : do_nothing;
    return (PyObject *)c;
}

#define HOOK_METHODS {"callback", callback, METH_O, callback_doc},

#else

static Py_ssize_t slot = -1;
static _PyFrameEvalFunction inner;
static uint64_t marked;
static bool with_clock;

/* Looks where the recorder looks, finds what it finds, and passes on; or reads the clock before and after. */
static PyObject *evaluate(PyThreadState *ts, python_frame *f, int throwing)
{
    if (!python_code_extra(f->f_code, slot))
        return inner(ts, f, throwing);
    marked++;
    if (!with_clock)
        return inner(ts, f, throwing);
    read_clock();
    PyObject *result = inner(ts, f, throwing);
    read_clock();
    return result;
}

PyDoc_STRVAR(mark_doc, "mark(code)\n--\n\nGive a code object an extra.");
static PyObject *mark(PyObject *module, PyObject *code)
{
    (void)module;
    if (!PyCode_Check(code)) {
        PyErr_SetString(PyExc_TypeError, "mark() takes a code object");
        return NULL;
    }
    if (slot < 0)
        slot = python_request_extra(NULL);
    if (slot < 0 || python_code_set_extra((PyCodeObject *)code, slot, 1) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(hook_doc, "hook(on, clock)\n--\n\nPut the frame-evaluation hook that passes everything on in, or take it out.");
static PyObject *hook(PyObject *module, PyObject *arguments)
{
    int on, clock;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "pp", &on, &clock))
        return NULL;
    with_clock = clock;
    PyInterpreterState *home = PyInterpreterState_Get();
    _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(home);
    if (on && now != evaluate) {
        inner = now;
        _PyInterpreterState_SetEvalFrameFunc(home, evaluate);
    } else if (!on && now == evaluate)
        _PyInterpreterState_SetEvalFrameFunc(home, inner);
    Py_RETURN_NONE;
}

#define HOOK_METHODS {"mark", mark, METH_O, mark_doc}, {"hook", hook, METH_VARARGS, hook_doc},

#endif

static PyMethodDef methods[] = {
    {"clock_reads", clock_reads, METH_O, clock_reads_doc},
    HOOK_METHODS
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "yardstick", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_yardstick(void);
PyMODINIT_FUNC PyInit_yardstick(void)
{
    clock_choose();
    return PyModule_Create(&definition);
}
