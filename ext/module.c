#include "module.h"

#include "python.h"

#include <string.h>

#include "attachment.h"
#include "block.h"
#include "collector.h"
#include "command.h"
#include "consumer.h"
#include "consumers.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "labels.h"
#include "lifetime.h"
#include "listener.h"
#include "measure.h"
#include "own_recording.h"
#include "own_segment.h"
#include "place.h"
#include "recorder.h"
#include "scope.h"
#include "session.h"
#include "stat_rows.h"
#include "switches.h"
#include "thread.h"
#include "thread_names.h"
#include "unmarked.h"
#include "version.h"

/* The code object that called us: where a decorator stands. Borrowed; NULL outside of Python code. Frames of the
 * interpreter's own between C and Python are not counted. */
static PyCodeObject *calling_code(int levels)
{
    const python_frame *f = python_current_frame(PyThreadState_Get());
    while (f && (!python_frame_code(f) || levels-- > 0))
        f = python_caller(f);
    return f ? python_frame_code(f) : NULL;
}

PyDoc_STRVAR(decorate_doc, "decorate(function, name=None, levels=0)\n--\n\n"
                           "Mark a Python function for recording; one that cannot be marked now is counted instead.\n"
                           "`levels`: Python frames between the decorator's user and this call.");

/* The decorator is no reason for a program to fail: no memory, a hook of the program's that forbids it. */
static bool leave_unmarked(PyObject *name)
{
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return false;
    PyErr_Clear();
    unmarked_add(name);
    return true;
}

/* Exact: a type derived from that of functions, as compilers have it, may have another layout. */
static PyObject *decorate(PyObject *module, PyObject *args)
{
    PyObject *function, *name = Py_None;
    int levels = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "O|Oi", &function, &name, &levels))
        return NULL;
    if (!PyFunction_Check(function)) {
        PyErr_Format(PyExc_TypeError, "decorate() takes a Python function, not %.100s", Py_TYPE(function)->tp_name);
        return NULL;
    }
    if (name != Py_None && !PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "name must be a str, not %.100s", Py_TYPE(name)->tp_name);
        return NULL;
    }
    PyFunctionObject *f = (PyFunctionObject *)function;
    if (PYTHON_HAS_LOCK && functions_decorate(f, name, calling_code(levels)) < 0 && !leave_unmarked(name != Py_None ? name : f->func_qualname))
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(place_doc, "_place(function, name=None, levels=0, track=0)\n--\n\nMark a Python function for consumers that select it by its site's number, which is\n"
                        "returned: of the present recording, 0: there was no room for it. Again: the same number, or that of a new recording.");

static PyObject *place(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"function", "name", "levels", "track", NULL};
    PyObject *function, *name = Py_None;
    int levels = 0;
    unsigned int track = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!|OiI:_place", names, &PyFunction_Type, &function, &name, &levels, &track))
        return NULL;
    if (name != Py_None && !PyUnicode_Check(name))
        return PyErr_Format(PyExc_TypeError, "name must be a str, not %.100s", Py_TYPE(name)->tp_name);
    lifetime_settle();
    if (consumers_refuse())
        return NULL;
    int64_t site = functions_place((PyFunctionObject *)function, name, track, calling_code(levels));
    return site < 0 ? NULL : PyLong_FromLongLong(site);
}

PyDoc_STRVAR(unmarked_doc, "_unmarked(name)\n--\n\nCount what is left unmarked; a name that is not a str is none.");

static PyObject *unmarked(PyObject *module, PyObject *name)
{
    (void)module;
    unmarked_add(name);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(start_doc, "start(subprocesses=False)\n--\n\nRecord in all threads from now on. True if that is new, False if it was so already.\n"
                        "`subprocesses`: processes that descend from this one and begin while it records do so, too.\n"
                        "Raises RuntimeError where recording is not possible; status() says why.");
static PyObject *start(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"subprocesses", NULL};
    int subprocesses = 0;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|p:start", names, &subprocesses))
        return NULL;
    lifetime_settle();
    enum consumers_change change = command_start(subprocesses);
    return change == CONSUMERS_FAILED ? NULL : PyBool_FromLong(change == CONSUMERS_DONE);
}

PyDoc_STRVAR(stop_doc, "stop()\n--\n\nStop recording; calls still open end now and are marked. True if that is new.");
static PyObject *stop(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    lifetime_settle();
    return PyBool_FromLong(command_stop() == CONSUMERS_DONE);
}

PyDoc_STRVAR(reset_doc, "reset()\n--\n\nForget what the session and attach recorded so far; recording goes on or stays off as it was.");
static PyObject *reset(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    lifetime_settle();
    if (command_reset() < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(is_running_doc, "is_running()\n--\n\nTrue between start() (from here or another terminal) and stop().");
static PyObject *is_running(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyBool_FromLong(session_running());
}

PyDoc_STRVAR(status_doc, "status()\n--\n\nWhat the recorder is doing, as a dict.");
static PyObject *status(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    bool on = recorder_available();
    hook_check();
    char path[PATH_MAX + 64] = "";
    if (on)
        snprintf(path, sizeof path, "%s/%s", recorder_segment()->directory, recorder_segment()->name);
    const struct segment_header *h = on ? recorder_segment()->header : NULL;
    return Py_BuildValue("{s:O,s:s,s:s,s:s,s:s,s:O,s:O,s:K,s:K,s:K,s:K,s:I,s:N}", "available", on ? Py_True : Py_False, "problem", recorder_problem(),
                         "version", TSCAP_VERSION, "hook", hook_name(), "segment", path, "running",
                         session_running() ? Py_True : Py_False, "armed", hook_armed() ? Py_True : Py_False, "functions",
                         marks_live(), "consumers", demand_consumers(), "paused", h ? (unsigned long long)h->paused : 0ull, "displaced", h ? (unsigned long long)h->displaced : 0ull,
                         "unmarked", unmarked_count(), "unmarked_names", unmarked_names());
}

PyDoc_STRVAR(nearest_doc, "_nearest(levels)\n--\n\n(collector, distance): the nearest one that a frame on the stack entered, and how many frames away from the\n"
                          "caller's `levels`-th that is; None: there is none.");
static PyObject *nearest(PyObject *module, PyObject *args)
{
    int levels;
    PyObject *distance;
    (void)module;
    if (!PyArg_ParseTuple(args, "i", &levels))
        return NULL;
    PyObject *collector = collector_nearest(levels, &distance);
    if (!collector && PyErr_Occurred())
        return NULL;
    return collector ? Py_BuildValue("(NN)", collector, distance) : Py_NewRef(Py_None);
}

PyDoc_STRVAR(wanted_doc, "_wanted()\n--\n\nWould a call made from here be recorded now?");
static PyObject *wanted(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    struct thread *t = demand_on && !scope_nobody_here() ? thread_now() : NULL;
    return PyBool_FromLong(t && scope_wants(t, python_current_frame(PyThreadState_Get())));
}

PyDoc_STRVAR(hush_doc, "_hush($module, on, /)\n--\n\nWhat is called in this thread is not recorded, until this is called with False as often: a front end is at work.");
static PyObject *hush(PyObject *module, PyObject *on)
{
    (void)module;
    thread_hush(PyObject_IsTrue(on) == 1);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(labels_doc, "_ask_labels($module, callable, /)\n--\n\nFrom now on a call's label is what this returns, 0 (none) to 2**32 - 1; None: there are none.");
static PyObject *ask_labels(PyObject *module, PyObject *callable)
{
    (void)module;
    labels_ask(callable == Py_None ? NULL : callable);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(thread_class_doc, "_thread_class($module, tid, /)\n--\n\nWhat the class of the thread that last had this number is called; \"\": nobody knows.");
static PyObject *thread_class(PyObject *module, PyObject *tid)
{
    (void)module;
    unsigned long number = PyLong_AsUnsignedLong(tid);
    if (number == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    const char *name = thread_names_class((uint32_t)number);
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

PyDoc_STRVAR(add_up_doc, "_add_up($module, rows, lanes, /)\n--\n\nPacked rows of functions, added up by site: of those lanes whose byte is not zero.");
PyDoc_STRVAR(stats_doc,
             "_stats($module, type, functions, contexts, children, cpu, rows, /)\n--\n\nA statistic a packed row, but for lanes that are not in contexts.");
PyDoc_STRVAR(rest_doc, "_rest($module, /)\n--\n\nFor a moment the interpreter's lock is whose who waits for it.");

PyDoc_STRVAR(save_doc, "_save($module, fd, /)\n--\n\nWrites what `tscap save` would of this process as a capture file, uncompressed.");
static PyObject *save(PyObject *module, PyObject *args)
{
    int fd;
    const struct own_recording_choice choice = {.consumer = 0};
    (void)module;
    if (!PyArg_ParseTuple(args, "i:_save", &fd))
        return NULL;
    lifetime_settle();
    return consumers_refuse() ? NULL : output_save(fd, own_recording_take, &choice);
}

PyDoc_STRVAR(convert_doc, "_convert($module, format, metric, invert, /)\n--\n\nThe same as the bytes of a file for other programs.");
static PyObject *convert(PyObject *module, PyObject *args)
{
    struct output_form form;
    const struct own_recording_choice choice = {.consumer = 0};
    (void)module;
    if (!PyArg_ParseTuple(args, "ssp:_convert", &form.format, &form.metric, &form.invert))
        return NULL;
    lifetime_settle();
    return consumers_refuse() ? NULL : output_convert(&form, own_recording_take, &choice);
}

static PyObject *hand_over(PyObject *module, PyObject *theirs);

static PyMethodDef methods[] = {
    {"decorate", decorate, METH_VARARGS, decorate_doc},
    {"_place", (PyCFunction)(void (*)(void))place, METH_VARARGS | METH_KEYWORDS, place_doc},
    {"_unmarked", unmarked, METH_O, unmarked_doc},
    {"start", (PyCFunction)(void (*)(void))start, METH_VARARGS | METH_KEYWORDS, start_doc},
    {"stop", stop, METH_NOARGS, stop_doc},
    {"reset", reset, METH_NOARGS, reset_doc},
    {"is_running", is_running, METH_NOARGS, is_running_doc},
    {"status", status, METH_NOARGS, status_doc},
    {"_nearest", nearest, METH_VARARGS, nearest_doc},
    {"_wanted", wanted, METH_NOARGS, wanted_doc},
    {"_hush", hush, METH_O, hush_doc},
    {"_obey_switches", switches_obeyed_by, METH_O, switches_doc},
    {"_ask_labels", ask_labels, METH_O, labels_doc},
    {"_thread_class", thread_class, METH_O, thread_class_doc},
    {"_add_up", stat_rows_add_up, METH_VARARGS, add_up_doc},
    {"_stats", stat_rows_make, METH_VARARGS, stats_doc},
    {"_rest", stat_rows_rest, METH_NOARGS, rest_doc},
    {"_save", save, METH_VARARGS, save_doc},
    {"_convert", convert, METH_VARARGS, convert_doc},
    {"_hand_over", hand_over, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "timestamp_capture._core",
    .m_doc = "The recorder of tscap. Times are nanoseconds on the scale of time.perf_counter_ns().",
    .m_size = -1,
    .m_methods = methods,
};

static bool is_set_up;

static int set_up(PyObject *module)
{
    is_set_up = true;
    int error = own_segment_init();
    if (error < 0) {
        PyErr_Format(PyExc_ImportError, "timestamp_capture cannot start: %s", strerror(-error));
        return -1;
    }
    if (measure_prepare() < 0 || marks_init() < 0 || scope_init(collector_ledger) < 0 || block_add_type(module) < 0 || collector_add_type(module) < 0 ||
        place_add_types(module) < 0 || consumer_add_type(module) < 0)
        return -1;
    if (recorder_available()) {
        lifetime_inherit();
        listener_start(); /* without it the process can still record, started from inside */
    }
    return recorder_supported() ? lifetime_watch() : 0;
}

/* ---- brought from outside ---- */

/* Kept where only extensions look, for a copy of this library that the program may import later. Borrowed; NULL: none. */
#define BROUGHT "timestamp_capture._core"
static PyObject *interpreter_dict(void) { return PyInterpreterState_GetDict(PyInterpreterState_Main()); }

static PyObject *brought(void)
{
    PyObject *dict = interpreter_dict();
    return dict ? python_dict_get(dict, BROUGHT) : NULL;
}

bool module_is_there(void) { return is_set_up; }

int module_bring(void)
{
    PyObject *module = PyModule_Create(&definition), *dict = interpreter_dict();
    bool whole = module && dict && set_up(module) == 0 && PyModule_AddStringConstant(module, "_version", TSCAP_VERSION) == 0 &&
                 PyDict_SetItemString(dict, BROUGHT, module) == 0;
    Py_XDECREF(module);
    if (!whole && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "the interpreter has no room for extensions");
    return whole ? 0 : -1;
}

/* The program imports what is there already: from now on it is the program's. It gets a module of its own with all that is
 * in ours, as the import system does it for one that was imported before. */
static PyObject *hand_over(PyObject *module, PyObject *theirs)
{
    if (PyDict_Merge(PyModule_GetDict(theirs), PyModule_GetDict(module), 1) < 0 || lifetime_watch_again() < 0)
        return NULL;
    attachment_hand_over();
    if (!recorder_available() && lifetime_reopen() < 0)
        PyErr_Clear(); /* status() says why */
    Py_RETURN_NONE;
}

static int take_over(PyObject *module, PyObject *ours)
{
    PyObject *version = PyObject_GetAttrString(ours, "_version");
    const char *text = version ? PyUnicode_AsUTF8(version) : NULL;
    bool same = text && strcmp(text, TSCAP_VERSION) == 0;
    if (text && !same)
        PyErr_Format(PyExc_ImportError, "version %s of the recorder was attached to this process before", text);
    PyObject *done = same ? PyObject_CallMethod(ours, "_hand_over", "O", module) : NULL;
    Py_XDECREF(version);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
    PyObject *module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module)
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED); /* see PYTHON_HAS_LOCK */
#endif
    PyObject *before = brought();
    if (module && (before ? take_over(module, before) : set_up(module)) < 0)
        Py_CLEAR(module);
    return module;
}
