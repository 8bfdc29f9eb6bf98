/* The way in for `tscap attach`: shared/attach.h says how it is called. */
#include "python.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "attachment.h"
#include "builtin_modules.h"
#include "lifetime.h"
#include "listener.h"
#include "module.h"
#include "own_segment.h"
#include "recorder.h"
#include "run.h"
#include "rundir.h"

/* A thread of the program, stopped anywhere and made to call tscap_attach(), must do no more than what cannot wait and needs
 * no lock of the interpreter: it starts a thread. That one lets the main thread bring the recorder in at its next safe place
 * (a pending call): a fork cannot come in the middle then, and no thread state is made while one does (before 3.12 that
 * could leave a lock behind in the child, gh-112275). Only if the main thread does not come by, because it waits for
 * something outside of Python, it takes the interpreter's lock and does it itself. */

#define STACK_BYTES (1u << 20) /* of address space: it may have to run code of the interpreter */
#define MAIN_THREAD_MS 100     /* to come by */
#define TRIES 5                /* what was in the way may have gone: memory, descriptors */
#define MAIN_THREAD_TRIES 3    /* or, in the main thread, by signals: ^C again and again */
#define REGION_WAIT_MS 2000
#define BEGIN_MS 2000          /* for an interpreter that is not there yet */

enum claim { UNCLAIMED, MAIN_THREAD, OWN_THREAD };
enum progress { NOT_YET, AGAIN, HOPELESS, READY };

static struct {
    struct attach_box box;
    char argument[ATTACH_ARGUMENT_MAX];
    char problem[ATTACH_TEXT]; /* of the last try */
    char request[64];          /* the last one that came by a script: all threads may run that */
    bool leaves_region;        /* memory to unmap, see unmap_region() */
    _Atomic uint32_t claim;    /* enum claim: who does it */
    _Atomic uint32_t progress; /* enum progress: of who does it */
    pid_t pid; /* of the process that is attached to */
    void (*wake)(void *); /* _PyEval_SignalAsyncExc, or NULL */
    _Atomic bool waking;
    _Atomic bool woken; /* and nobody has turned it off */
    void *interpreter;
} e = {.box = {.magic = ATTACH_MAGIC, .version = ATTACH_VERSION}};

__attribute__((format(printf, 2, 3))) static void finish(enum attach_state state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e.box.text, sizeof e.box.text, format, arguments);
    va_end(arguments);
    atomic_store_explicit(&e.box.state, state, memory_order_release);
}

/* The value of a line "name=value". */
static bool read_line(const char *text, const char *name, char *buffer, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, length) != 0 || line[length] != '=')
            continue;
        int n = (int)strcspn(line + length + 1, "\n");
        return snprintf(buffer, size, "%.*s", n, line + length + 1) < (int)size;
    }
    return false;
}

static bool read_argument(const char *name, char *buffer, size_t size) { return read_line(e.argument, name, buffer, size); }

/* ---- with the interpreter's lock ---- */

/* Where who attaches looks for the segment. Not before we have the lock: a detach that is at it forgets what was told. */
static void use_directory(void)
{
    char directory[RUNDIR_PATH_MAX];
    if (read_argument(ATTACH_DIRECTORY, directory, sizeof directory))
        rundir_use(directory);
}

/* 0, or -1 with an exception. */
static int bring_recorder(void)
{
    use_directory();
    if (module_is_there())
        return lifetime_reopen();
    if (builtin_module_loaded("timestamp_capture._core")) {
        PyErr_SetString(PyExc_RuntimeError, "another copy of timestamp_capture is loaded already");
        return -1;
    }
    attachment_bring();
    return module_bring();
}

static void describe_exception(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *string = value ? PyObject_Str(value) : NULL;
    const char *text = string ? PyUnicode_AsUTF8(string) : NULL;
    const char *name = type && PyType_Check(type) ? ((PyTypeObject *)type)->tp_name : "error";
    snprintf(e.problem, sizeof e.problem, "%s: %s", name, text ? text : "");
    PyErr_Clear();
    Py_XDECREF(string);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

#if PY_VERSION_HEX >= 0x030a0000 && PY_VERSION_HEX < 0x030d0000
/* An exception of ours, on its way to this thread: it comes as soon as any code runs. False: another came first. It is put
 * where PyThreadState_SetAsyncExc() would put it, which goes by the number of a thread: one that this thread has just
 * made has the same until it begins (_PyThreadState_Prealloc in Python/pystate.c), and is found first. */
static bool interrupt_ourselves(PyThreadState *here)
{
    PyObject *names = PyDict_New();
    PyObject *code = names ? Py_CompileString("for _ in (1, 2, 3, 4, 5): pass\n", "<tscap>", Py_file_input) : NULL;
    if (code)
        here->async_exc = Py_NewRef(PyExc_InterruptedError);
    PyObject *result = code ? PyEval_EvalCode(code, names, names) : NULL;
    bool came = here->async_exc == NULL;
    Py_CLEAR(here->async_exc);
    if (came && !result)
        PyErr_Clear();
    bool alone = came || result;
    Py_XDECREF(names);
    Py_XDECREF(code);
    Py_XDECREF(result);
    return alone;
}

/* What wakes the main thread says that an exception is on its way to some thread. Nothing takes that back but one that
 * arrives: until then all threads look for it at every call and jump, after detach as well. If one is on its way to us, good.
 * False: with an exception of the program's. */
static bool turn_off_wake(void)
{
    PyThreadState *here = PyThreadState_Get();
    while (atomic_load(&e.waking))
        sched_yield();
    return !atomic_exchange(&e.woken, false) || here->async_exc || interrupt_ourselves(here);
}
#else
static bool turn_off_wake(void) { return true; }
#endif

/* Without a listener nobody who attached would reach it. `before`: the segment is not ours to give up. */
static enum progress look_whether_ready(bool before)
{
    int error = recorder_available() ? listener_start() : 0;
    if (error < 0 && !before)
        own_segment_give_up();
    snprintf(e.problem, sizeof e.problem, "%s", error < 0 ? strerror(-error) : recorder_problem());
    return error < 0 || !recorder_available() ? HOPELESS : READY;
}

/* 0, or -1 with an exception that is none of our business: one that a signal handler of the program raised meanwhile. */
static int bring(void)
{
    bool before = recorder_available();
    enum progress progress = AGAIN;
    int r = 0;
    if (!turn_off_wake())
        r = -1;
    else if (bring_recorder() == 0)
        progress = look_whether_ready(before);
    else if (!PyErr_ExceptionMatches(PyExc_Exception))
        r = -1;
    else
        describe_exception();
    atomic_store_explicit(&e.progress, progress, memory_order_release);
    return r;
}

static bool claim(enum claim who)
{
    uint32_t none = UNCLAIMED;
    return atomic_compare_exchange_strong(&e.claim, &none, who);
}

/* A child that was forked while it was in the list has the list, too: it is not the child that was attached to. */
static int bring_in_main_thread(void *unused)
{
    (void)unused;
    return getpid() == e.pid && claim(MAIN_THREAD) ? bring() : 0;
}

/* ---- the thread ---- */

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool is_ending(void) { return !Py_IsInitialized() || python_is_finalizing(); }

/* Who attaches right after the program was started may be there before the interpreter is. */
static void await_interpreter(void)
{
    for (int ms = 0; ms < BEGIN_MS && !Py_IsInitialized() && !python_is_finalizing() && !atomic_load(&e.box.cancel); ms++)
        sleep_ms(1);
    e.interpreter = PyInterpreterState_Main();
}

static bool call_main_thread(void)
{
    atomic_store(&e.waking, true);
    bool called = Py_AddPendingCall(bring_in_main_thread, NULL) == 0; /* or its list is full */
    if (called && e.wake && e.interpreter) {
        e.wake(e.interpreter);
        atomic_store(&e.woken, true);
    }
    atomic_store(&e.waking, false);
    return called;
}

static void ask_main_thread(void)
{
    if (!call_main_thread())
        return;
    for (int ms = 0; ms < MAIN_THREAD_MS && atomic_load(&e.claim) == UNCLAIMED && !is_ending(); ms++)
        sleep_ms(1);
}

static void bring_in_own_thread(void)
{
    PyGILState_STATE state = PyGILState_Ensure();
    bool cancelled = atomic_load(&e.box.cancel);
    if (claim(OWN_THREAD) && !cancelled && bring() < 0)
        PyErr_Clear();
    PyGILState_Release(state);
}

/* A pending call that is still in the list when the claim is taken back finds it taken again, or the box ready. */
static enum progress try_once(bool in_main_thread)
{
    atomic_store(&e.progress, NOT_YET);
    atomic_store(&e.claim, UNCLAIMED);
    if (in_main_thread)
        ask_main_thread();
    if (is_ending())
        return AGAIN;
    if (atomic_load(&e.claim) == UNCLAIMED)
        bring_in_own_thread();
    while (atomic_load_explicit(&e.progress, memory_order_acquire) == NOT_YET && !atomic_load(&e.box.cancel) && !is_ending())
        sleep_ms(1);
    return atomic_load_explicit(&e.progress, memory_order_acquire);
}

/* What the thread that was stopped ran in; who stopped it has seen it leave. If that was killed before it could say so, the
 * next attempt may have begun while we still wait here: whichever thread takes the region unmaps it. */
static void unmap_region(void)
{
    for (int ms = 0; ms < REGION_WAIT_MS; ms++) {
        uint64_t size = atomic_load_explicit(&e.box.region_size, memory_order_acquire);
        uint64_t region = size ? atomic_exchange(&e.box.region, 0) : 0;
        if (region) {
            munmap((void *)(uintptr_t)region, size);
            break;
        }
        sleep_ms(1);
    }
}

static enum progress try_often(void)
{
    enum progress progress = NOT_YET;
    for (int i = 0; i < TRIES && progress < HOPELESS && !is_ending() && !atomic_load(&e.box.cancel); i++) {
        if (i)
            sleep_ms(20 << i);
        progress = try_once(i < MAIN_THREAD_TRIES);
    }
    return progress;
}

/* With finish() all but the region belongs to the next attempt, which may come at once. */
static void *attach_thread(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "tscap-attach");
    bool leaves_region = e.leaves_region;
    await_interpreter();
    enum progress progress = try_often();
    if (is_ending())
        finish(ATTACH_ENDING, "%s", "");
    else if (progress == READY)
        finish(ATTACH_READY, "%s", "");
    else
        finish(ATTACH_FAILED, "%s", e.problem[0] ? e.problem : "given up");
    if (leaves_region)
        unmap_region();
    return NULL;
}

static int create_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, attach_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* ---- in a thread of the program, stopped anywhere ---- */

/* 3.10 to 3.12: a pending call alone does not make a main thread look that is alone and busy. Looked up here, for the
 * dynamic linker's lock may not be held by another thread when the program forks. */
static void find_wake(void)
{
#if PY_VERSION_HEX >= 0x030a0000 && PY_VERSION_HEX < 0x030d0000
    *(void **)&e.wake = dlsym(RTLD_DEFAULT, "_PyEval_SignalAsyncExc");
#endif
}

static struct attach_box *begin(const char *argument, bool leaves_region)
{
    if (e.pid != getpid())
        atomic_store(&e.box.state, ATTACH_ENDING); /* our parent's */
    e.pid = getpid();
    if (atomic_exchange(&e.box.state, ATTACH_WORKING) == ATTACH_WORKING) {
        atomic_store(&e.box.cancel, 0); /* one that came before is still waiting: for both */
        return &e.box;
    }
    e.problem[0] = '\0';
    e.leaves_region = leaves_region;
    snprintf(e.argument, sizeof e.argument, "%s", argument);
    atomic_store(&e.box.cancel, 0);
    atomic_store(&e.box.region_size, 0);
    find_wake();
    int error = create_thread();
    if (error)
        finish(ATTACH_FAILED, "cannot start a thread: %s", strerror(error));
    return &e.box;
}

__attribute__((visibility("default"))) struct attach_box *tscap_attach(const char *argument);
struct attach_box *tscap_attach(const char *argument) { return begin(argument, true); }

/* ---- in threads of the program that run a script (PEP 768): with the interpreter's lock ---- */

static PyObject *attach_by_script(PyObject *module, PyObject *argument)
{
    char request[sizeof e.request] = "";
    const char *text = PyBytes_AsString(argument);
    (void)module;
    if (!text)
        return NULL;
    bool again = read_line(text, ATTACH_REQUEST, request, sizeof request) && strcmp(request, e.request) == 0;
    snprintf(e.request, sizeof e.request, "%s", request);
    return PyLong_FromVoidPtr(again ? &e.box : begin(text, false));
}

/* ---- before the program's first line: in its main thread, with the interpreter's lock ---- */

static PyObject *run(PyObject *module, PyObject *path)
{
    const char *text = PyBytes_AsString(path);
    (void)module;
    if (!text || run_begin(text) < 0)
        return NULL;
    int error = recorder_available() ? listener_start() : 0;
    return error < 0 ? PyErr_Format(PyExc_OSError, "nobody can tell it anything: %s", strerror(-error)) : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {{"attach", attach_by_script, METH_O, NULL}, {"run", run, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = ATTACH_MODULE, .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_tscap_entry(void);
PyMODINIT_FUNC PyInit_tscap_entry(void) { return PyModuleDef_Init(&definition); }
