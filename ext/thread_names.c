#include "thread_names.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLASSES 1024 /* a power of two; more than there are threads with rows of their own */
#define CLASS_MAX 60

/* By the lowest bits of a thread's number: those that run at a time have other ones, mostly. */
static struct {
    uint32_t tid;
    char name[CLASS_MAX];
} class_of[CLASSES];

const char *thread_names_class(uint32_t tid)
{
    return class_of[tid % CLASSES].tid == tid ? class_of[tid % CLASSES].name : "";
}

static void note_class(uint32_t tid, const PyObject *thread)
{
    const char *name = Py_TYPE(thread)->tp_name, *dot = strrchr(name, '.');
    class_of[tid % CLASSES].tid = tid;
    snprintf(class_of[tid % CLASSES].name, CLASS_MAX, "%s", dot ? dot + 1 : name);
}

/* ---- its object: borrowed references, NULL: there is none ---- */

static PyObject *in_threading(const char *name)
{
    PyObject *modules = PySys_GetObject("modules"); /* NULL: the interpreter ends */
    PyObject *threading = modules && PyDict_Check(modules) ? python_dict_get(modules, "threading") : NULL;
    return threading && PyModule_Check(threading) ? python_dict_get(PyModule_GetDict(threading), name) : NULL;
}

static PyObject *registered_as(PyObject *ident)
{
    PyObject *active = in_threading("_active");
    return ident && active && PyDict_Check(active) ? PyDict_GetItemWithError(active, ident) : NULL;
}

/* threading._active[ident]: since it has begun to run. */
static PyObject *registered(void)
{
    PyObject *ident = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    PyObject *thread = registered_as(ident);
    Py_XDECREF(ident);
    return thread;
}

static bool is_bootstrap(const PyCodeObject *code)
{
    return code->co_argcount == 1 && (PyUnicode_CompareWithASCIIString(code->co_name, "_bootstrap_inner") == 0 ||
                                      PyUnicode_CompareWithASCIIString(code->co_name, "_bootstrap") == 0);
}

/* The `self` of the method that every thread begins with, among the innermost `frames`. */
static PyObject *bootstrapped(size_t frames)
{
    PyObject *class = in_threading("Thread");
    const python_frame *f = python_next_with_code(python_current_frame(python_this_thread()));
    for (size_t depth = 0; f && depth < frames; depth++, f = python_next_with_code(python_caller(f))) {
        PyObject *self = is_bootstrap(python_frame_code(f)) ? python_frame_local(f, 0) : NULL;
        if (self && class && PyType_Check(class) && PyType_IsSubtype(Py_TYPE(self), (PyTypeObject *)class))
            return self;
    }
    return NULL;
}

/* Before it is registered it has got no further than this. */
static PyObject *bootstrapping(void) { return bootstrapped(2); }

/* ---- its name ---- */

/* A new reference; NULL: it has none. */
static PyObject *attribute_of(PyObject *thread, const char *name)
{
    PyObject *attribute = PyUnicode_FromString(name);
    PyObject *value = attribute ? PyObject_GenericGetAttr(thread, attribute) : NULL;
    Py_XDECREF(attribute);
    return value;
}

/* What Thread.name returns. */
static PyObject *name_of(PyObject *thread) { return attribute_of(thread, "_name"); }

static void as_the_kernel_calls_it(char *buffer, size_t size, uint32_t tid)
{
    if (tid == (uint32_t)getpid())
        snprintf(buffer, size, "MainThread");
    else if (pthread_getname_np(pthread_self(), buffer, size) != 0)
        snprintf(buffer, size, "thread");
}

bool thread_names_find(char *buffer, size_t size)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *known = registered(), *thread = known ? known : bootstrapping();
    PyObject *name = thread ? name_of(thread) : NULL;
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (thread)
        note_class(tid, thread);
    if (text)
        snprintf(buffer, size, "%s", text);
    else
        as_the_kernel_calls_it(buffer, size, tid);
    Py_XDECREF(name);
    PyErr_Restore(type, value, traceback);
    return thread;
}

/* ---- does threading know it? ---- */

/* By the number that it has itself: gevent gives other ones. */
static bool is_registered(PyObject *thread)
{
    PyObject *ident = attribute_of(thread, "_ident");
    bool is = ident && registered_as(ident) == thread;
    Py_XDECREF(ident);
    return is;
}

/* The hook of frames is asked before there is the first one. */
static bool is_settled(const PyCodeObject *called)
{
    if (registered())
        return true;
    if (!python_current_frame(python_this_thread()))
        return !called || !is_bootstrap(called);
    PyObject *thread = bootstrapped(SIZE_MAX);
    return !thread || is_registered(thread);
}

bool thread_names_is_settled(const PyCodeObject *called)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    bool settled = is_settled(called);
    PyErr_Restore(type, value, traceback);
    return settled;
}
