#include "lifetime.h"

#include "python.h"

#include <stdbool.h>
#include <unistd.h>

#include "attachment.h"
#include "builtin_modules.h"
#include "command.h"
#include "demand.h"
#include "kin.h"
#include "listener.h"
#include "own_segment.h"
#include "recorder.h"
#include "session.h"
#include "tether.h"

/* ---- a process of its own ---- */

static void inherit(uint32_t how)
{
    session_inherit(how);
    if (command_start(true) == CONSUMERS_FAILED) {
        session_inherit(0);
        PyErr_Clear();
    }
}

void lifetime_inherit(void)
{
    if (recorder_available() && kin_record(recorder_segment()))
        inherit(SESSION_INHERITED);
}

/* An heir goes on with its parent's session, and with what that one was attached for. */
static int begin_anew(bool heir)
{
    int error = own_segment_begin_anew();
    if (!heir)
        attachment_forget();
    return error;
}

/* C code made this process, and Python does not know. Other threads that come here later find that their lane is of another
 * generation. */
void lifetime_settle(void)
{
    if (!demand_is_of_parent())
        return;
    recorder_next_generation();
    listener_forget(false);
    if (begin_anew(false) < 0) {
        tether_drop_all();
        return;
    }
    lifetime_inherit();
    tether_inherit(false);
    listener_start();
}

int lifetime_reopen(void)
{
    lifetime_settle();
    own_segment_reopen();
    if (consumers_refuse())
        return -1;
    listener_start();
    return 0;
}

/* Of a child: has it the session from its parent? Of the parent: do its children have it? */
static bool is_heir(void) { return session_running() && session_has_subprocesses(); }

/* A segment of the child's own, and the session if it was handed on; no exception. */
static int settle_child(void)
{
    bool heir = is_heir();
    if (!demand_is_of_parent())
        return 0;
    tether_drop_stale();
    int error = begin_anew(heir);
    if (error < 0) {
        tether_drop_all();
        return error;
    }
    if (heir)
        inherit(SESSION_INHERITED | SESSION_COUNTED);
    else
        lifetime_inherit(); /* who told all that it found, parents first, may not have found us */
    tether_inherit(heir);
    return 0;
}

static void count_offspring(void)
{
    if (recorder_available() && session_running() && session_has_subprocesses())
        atomic_fetch_add_explicit(&recorder_segment()->header->offspring, 1, memory_order_relaxed);
}

/* ---- children of multiprocessing ---- */

/* They end by os._exit(), which runs no handlers of atexit: their segments would stay as if they had crashed.
 * multiprocessing.util.Finalize is what it runs instead. */

static PyObject *at_exit_function, *finalize_function;

static PyObject *end_cleanly(PyObject *self, PyObject *unused)
{
    PyObject *util = builtin_module_loaded("multiprocessing.util"); /* borrowed */
    PyObject *finalize = util ? PyObject_GetAttrString(util, "Finalize") : NULL;
    PyObject *arguments = finalize ? Py_BuildValue("(OO)", Py_None, at_exit_function) : NULL;
    PyObject *named = arguments ? Py_BuildValue("{s:i}", "exitpriority", -1000) : NULL;
    PyObject *done = named ? PyObject_Call(finalize, arguments, named) : NULL;
    (void)self, (void)unused;
    if (!done)
        PyErr_Clear(); /* it is not what it was: then the file stays until somebody clears it away */
    Py_XDECREF(finalize);
    Py_XDECREF(arguments);
    Py_XDECREF(named);
    Py_XDECREF(done);
    Py_RETURN_NONE;
}

/* A child forgets its parent's finalizers first and runs these hooks then (Process._bootstrap). */
static void prepare_child_of_multiprocessing(void)
{
    PyObject *util = builtin_module_loaded("multiprocessing.util"); /* borrowed */
    PyObject *done = util ? PyObject_CallMethod(util, "register_after_fork", "OO", finalize_function, finalize_function) : NULL;
    if (!done)
        PyErr_Clear();
    Py_XDECREF(done);
}

/* Is this such a child, and we come late? */
static void look_for_multiprocessing(void)
{
    PyObject *process = builtin_module_loaded("multiprocessing.process"); /* borrowed */
    PyObject *parent = process ? PyObject_CallMethod(process, "parent_process", NULL) : NULL;
    if (parent && parent != Py_None)
        Py_XDECREF(end_cleanly(NULL, NULL));
    if (!parent)
        PyErr_Clear();
    Py_XDECREF(parent);
}

/* ---- fork ---- */

static PyObject *latest; /* the hooks that were registered last have it for a self: others do nothing any more */

static PyObject *before_fork(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (self == latest)
        listener_pause();
    Py_RETURN_NONE;
}

#if PY_VERSION_HEX >= 0x030d0000
static int start_listener_later(void *unused)
{
    (void)unused;
    listener_start();
    return 0;
}

/* 3.13.0 counts threads to warn about after these hooks (Modules/posixmodule.c, os_fork_impl), so ours starts when fork()
 * has returned. Where another thread than the first forks, there are several anyhow. */
static void start_listener_again(void)
{
    bool first_thread = gettid() == getpid();
    if (!first_thread || Py_AddPendingCall(start_listener_later, NULL) < 0)
        listener_start();
}
#else
static void start_listener_again(void) { listener_start(); }
#endif

static PyObject *after_fork_parent(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (self == latest) {
        count_offspring();
        start_listener_again();
    }
    Py_RETURN_NONE;
}

static PyObject *after_fork_child(PyObject *self, PyObject *unused)
{
    (void)unused;
    bool settled = recorder_available() && !demand_is_of_parent(); /* another hook of fork gave an order before us */
    if (self == latest) {
        if (!settled)
            listener_forget(is_heir());
        if (settle_child() == 0)
            listener_start();
        prepare_child_of_multiprocessing();
    }
    Py_RETURN_NONE;
}

/* `posix` has what `os` has of it, and is always there. */
static int watch_forks(void)
{
    static PyMethodDef hooks[] = {{"tscap_before_fork", before_fork, METH_NOARGS, NULL},
                                  {"tscap_after_fork_parent", after_fork_parent, METH_NOARGS, NULL},
                                  {"tscap_after_fork_child", after_fork_child, METH_NOARGS, NULL}};
    PyObject *self = PyList_New(0), *posix = builtin_module_loaded("posix"); /* the latter borrowed */
    PyObject *before = PyCFunction_New(&hooks[0], self), *parent = PyCFunction_New(&hooks[1], self), *child = PyCFunction_New(&hooks[2], self);
    PyObject *watch = posix && before && parent && child ? PyObject_GetAttrString(posix, "register_at_fork") : NULL;
    PyObject *none = watch ? PyTuple_New(0) : NULL;
    PyObject *named = none ? Py_BuildValue("{s:O,s:O,s:O}", "before", before, "after_in_parent", parent, "after_in_child", child) : NULL;
    PyObject *done = named ? PyObject_Call(watch, none, named) : NULL;
    if (done)
        latest = self; /* kept by its hooks, which the interpreter keeps */
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ImportError, "the interpreter has no posix");
    PyObject *all[] = {self, before, parent, child, watch, none, named, done};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_XDECREF(all[i]);
    return done ? 0 : -1;
}

/* ---- exit ---- */

static PyObject *at_exit(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (!demand_is_of_parent()) {
        listener_stop(is_heir());
        own_segment_close();
    }
    Py_RETURN_NONE;
}

static int watch_exit(void)
{
    static PyMethodDef functions[] = {{"tscap_at_exit", at_exit, METH_NOARGS, NULL}, {"tscap_end_cleanly", end_cleanly, METH_O, NULL}};
    at_exit_function = PyCFunction_New(&functions[0], NULL);
    finalize_function = PyCFunction_New(&functions[1], NULL);
    PyObject *atexit = at_exit_function && finalize_function ? builtin_module("atexit") : NULL;
    PyObject *done = atexit ? PyObject_CallMethod(atexit, "register", "O", at_exit_function) : NULL;
    Py_XDECREF(atexit);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

int lifetime_watch(void)
{
    if (watch_forks() < 0 || watch_exit() < 0)
        return -1;
    look_for_multiprocessing();
    return 0;
}

int lifetime_watch_again(void) { return watch_forks(); }
