/* The hook of CPython 3.12 and later: sys.monitoring (PEP 669). Local events on the marked code objects; before 3.15
 * unwinding and throwing are global events, on only while armed. Callbacks are C objects called by vectorcall. */
#include "python.h"

#if PYTHON_HAS_MONITORING

#include "activations.h"
#include "builtins.h"
#include "calls.h"
#include "carried.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "greenlets.h"
#include "labels.h"
#include "linger.h"
#include "scope.h"
#include "selection.h"
#include "variants.h"

#if PY_VERSION_HEX >= 0x030d0000
#include <opcode_ids.h>
enum { OPCODE_CALL = INSTRUMENTED_CALL, OPCODE_CALL_FUNCTION_EX = CALL_FUNCTION_EX };
#endif

/* ---- what the events say ---- */

/* Event callbacks return None, which is immortal since 3.12. */
#define NOTHING Py_None

static inline bool is_generator(const PyCodeObject *code) { return code->co_flags & PYTHON_GENERATOR_FLAGS; }

/* Since 3.13 C code may tell of its own functions by the same events (PyMonitoring_FirePyStartEvent; Cython does for
 * profile=True). It hears of global events only, so it would begin calls whose ends, which are local ones, never come; it
 * has no frame; and what it names as its code may be any object. None of that is ours: the interpreter's own events name
 * what the current frame runs. */
static inline bool is_interpreted(PyObject *const *arguments)
{
#if PY_VERSION_HEX < 0x030d0000
    (void)arguments;
    return true;
#else
    const python_frame *f = python_current_frame(python_this_thread());
    return f && (PyObject *)python_frame_any_code(f) == arguments[0];
#endif
}

/* A call of a generator or coroutine begins or goes on. Its frame, which stays where it is, is its key. */
static void generator_begins(struct thread *t, uint32_t site, bool resumed)
{
    const python_frame *f = python_current_frame(python_this_thread());
    if (!scope_wants(t, f->previous) || !calls_open(t, f, site, OPEN_KEYED))
        return;
    if (resumed)
        activation_resumes(t, site, (uintptr_t)f);
    else
        activation_begins(t, site, (uintptr_t)f);
    calls_began(t, !resumed);
    if (resumed)
        carried_go_on(t, f);
    else
        carried_drop(f);
}

/* The filter is asked here only: the end follows its beginning. */
static __attribute__((noinline)) PyObject *call_begins(const PyCodeObject *code, uint32_t site, bool resumed)
{
    struct thread *t = site ? thread_where(!resumed) : NULL; /* a generator that goes on was counted when it began */
    if (!t)
        return NOTHING;
    if (is_generator(code)) {
        generator_begins(t, site, resumed);
        return NOTHING;
    }
    const python_frame *f = python_current_frame(python_this_thread());
    if (scope_wants(t, f->previous) && calls_open(t, f, site, 0)) {
        writer_enter(t->writer, site);
        calls_began(t, true);
    }
    return NOTHING;
}

/* Not everybody records, or calls have labels. */
static __attribute__((noinline)) PyObject *begins_odd(const PyCodeObject *code, uint32_t site, bool resumed)
{
    PyObject *type, *value, *traceback;
    if (scope_nobody_here()) {
        linger_count();
        return NOTHING;
    }
    if (resumed)
        site = labels_resumed_site(site, (uintptr_t)python_current_frame(python_this_thread()));
    if (resumed || labels_site(code, &site))
        return call_begins(code, site, resumed);
    PyErr_Fetch(&type, &value, &traceback); /* it comes out of this call, whose end will be told */
    call_begins(code, site, false);
    PyErr_Restore(type, value, traceback);
    return NULL;
}

static inline PyObject *begins_slow(const PyCodeObject *code, uint32_t site, bool resumed)
{
    return demand_everyone == DEMAND_ALL ? call_begins(code, site, resumed) : begins_odd(code, site, resumed);
}

/* A plain call, on a thread in step, while everybody records. Local events come from code that has a site. */
static inline PyObject *begins(const PyCodeObject *code)
{
    uint32_t site = MARKS_SITE(python_code_own_extra(code, marks_extra));
    struct thread *t = thread_here;
    bool usual = thread_is_usual(t) && !is_generator(code) && t->writer->depth + 1 < t->room;
    if (__builtin_expect(!usual, 0))
        return begins_slow(code, site, false);
    t->open[t->writer->depth + 1] = (struct open_call){.id = NULL, .what = site};
    return writer_enter_then(t->writer, site, NOTHING);
}

/* Ends what is on top if it is of this site; blocks above it that were never left end first. A call that began before
 * recording did has nothing of its own on top: what is there is an ancestor's, and an ancestor of the same site would have
 * had to begin before it. The exception is a generator closed or thrown into before its body began: see on_unwind. */
static bool uncover_site(struct thread *t, uint32_t site)
{
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].what & OPEN_BLOCK)
        depth--;
    if (depth && ((uint32_t)t->open[depth].what == site || variants_function((uint32_t)t->open[depth].what) == site))
        return scope_uncover_depth(t, depth);
    greenlets_look(); /* it may be on another stack */
    return false;
}

static __attribute__((noinline)) PyObject *ends_slow(const PyCodeObject *code, bool waits, unsigned flags)
{
    uint32_t site = MARKS_SITE(python_code_extra(code, marks_extra));
    struct thread *t = site && thread_here ? thread_now() : NULL; /* no lane: nothing has begun */
    if (t && waits)
        carried_wait(t, python_current_frame(python_this_thread()));
    if (!t || !uncover_site(t, site))
        return NOTHING;
    const struct open_call top = t->open[t->writer->depth];
    if (waits)
        calls_yield(t, (uint32_t)top.what);
    else
        calls_exit(t, (uint32_t)top.what, flags);
    if (top.what & OPEN_KEYED)
        activation_stops(t, (uintptr_t)top.id, waits);
    calls_drop_ended(t);
    return NOTHING;
}

static inline PyObject *ends(const PyCodeObject *code)
{
    uint32_t site = MARKS_SITE(python_code_own_extra(code, marks_extra));
    struct thread *t = thread_here;
    bool usual = thread_is_usual(t) && t->open[t->writer->depth].what == site;
    if (__builtin_expect(!usual, 0))
        return ends_slow(code, false, 0);
    return writer_exit_then(t->writer, site, 0, NOTHING);
}

#define CALLBACK(name) static PyObject *name(PyObject *self, PyObject *const *arguments, size_t count, PyObject *names)
#define UNUSED_CALLBACK (void)self, (void)count, (void)names

static const PyCodeObject *code_of(PyObject *const *arguments) { return (const PyCodeObject *)arguments[0]; }

static inline PyObject *resumes(const PyCodeObject *code) { return begins_slow(code, MARKS_SITE(python_code_extra(code, marks_extra)), true); }

CALLBACK(on_start)
{
    UNUSED_CALLBACK;
    return begins(code_of(arguments));
}
CALLBACK(on_resume)
{
    UNUSED_CALLBACK;
    return resumes(code_of(arguments));
}
CALLBACK(on_return)
{
    UNUSED_CALLBACK;
    return ends(code_of(arguments));
}
CALLBACK(on_yield)
{
    UNUSED_CALLBACK;
    return ends_slow(code_of(arguments), true, 0);
}
CALLBACK(on_unwind)
{
    UNUSED_CALLBACK;
    if (!is_interpreted(arguments))
        return NOTHING;
    const PyCodeObject *code = code_of(arguments);
    bool generator = is_generator(code) && MARKS_SITE(python_code_extra(code, marks_extra));
    struct thread *t = __builtin_expect(generator, 0) && thread_here ? thread_now() : NULL;
    if (t && !scope_on_top(t, python_current_frame(python_this_thread())))
        return NOTHING; /* its body never began */
    bool closed = generator && PyErr_GivenExceptionMatches(arguments[2], PyExc_GeneratorExit) && functions_are_placed(code);
    return ends_slow(code_of(arguments), false, closed ? 0 : RECORD_RAISED);
}

/* close() or throw() before the body began throws at an instruction before the first traceable one. */
CALLBACK(on_throw)
{
    UNUSED_CALLBACK;
    if (!is_interpreted(arguments) || PyLong_AsLong(arguments[1]) < PYTHON_CODE_UNIT * (long)code_of(arguments)->_co_firsttraceable)
        return NOTHING;
    return resumes(code_of(arguments));
}

/* ---- while functions are selected that are not decorated: beginnings come from all code ---- */

static int set_local(PyCodeObject *code, PyObject *mask);
static PyObject *disable, *all_local; /* sys.monitoring.DISABLE; the events of recorded code */

/* Is it recorded? If it is decided just now, its other events come from now on, this call's end among them. */
static bool is_recorded(PyObject *const *arguments)
{
    PyCodeObject *code = (PyCodeObject *)arguments[0];
    if (__builtin_expect(!is_interpreted(arguments), 0))
        return false;
    uintptr_t extra = python_code_extra(code, marks_extra);
    if (MARKS_SITE(extra))
        return true;
    if (extra == functions_rejected || !functions_decide(code, python_current_frame(python_this_thread())))
        return false;
    if (set_local(code, all_local) < 0)
        PyErr_Clear();
    return true;
}

CALLBACK(on_any_start)
{
    UNUSED_CALLBACK;
    return is_recorded(arguments) ? begins(code_of(arguments)) : disable;
}
CALLBACK(on_any_resume)
{
    UNUSED_CALLBACK;
    return is_recorded(arguments) ? resumes(code_of(arguments)) : disable;
}

/* ---- C functions: all calls come, and of those that run no Python function themselves the ends ---- */

/* When a bound method of a C function is called with *arguments, its end is never told (CALL_FUNCTION_EX in
 * Python/bytecodes.c); before 3.13 its beginning is not, either. */
static bool has_no_end(PyObject *const *arguments)
{
#if PY_VERSION_HEX < 0x030d0000
    (void)arguments;
    return false;
#else
    PyObject *callable = arguments[2];
    if (__builtin_expect(!Py_IS_TYPE(callable, &PyMethod_Type) || PyFunction_Check(PyMethod_GET_FUNCTION(callable)), 1))
        return false;
    long offset = PyLong_AsLong(arguments[1]);
    uint8_t opcode = (uint8_t)((PyCodeObject *)arguments[0])->co_code_adaptive[offset];
    if (opcode == OPCODE_CALL)
        return false;
    PyObject *plain = PyCode_GetCode((PyCodeObject *)arguments[0]); /* another tool's events may hide it */
    bool is = !plain || (offset < PyBytes_GET_SIZE(plain) && (uint8_t)PyBytes_AS_STRING(plain)[offset] == OPCODE_CALL_FUNCTION_EX);
    Py_XDECREF(plain);
    PyErr_Clear();
    return is;
#endif
}

CALLBACK(on_call)
{
    UNUSED_CALLBACK;
    bool ours = is_interpreted(arguments) && !has_no_end(arguments);
    return !ours || builtins_begin(arguments[2]) ? NOTHING : NULL;
}
CALLBACK(on_c_return)
{
    UNUSED_CALLBACK;
    if (is_interpreted(arguments))
        builtins_end(arguments[2], false);
    return NOTHING;
}
CALLBACK(on_c_raise)
{
    UNUSED_CALLBACK;
    if (is_interpreted(arguments))
        builtins_end(arguments[2], true);
    return NOTHING;
}

/* ---- callbacks as objects ---- */

struct callback {
    PyObject_HEAD
    vectorcallfunc vectorcall;
};

static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture._core.callback",
    .tp_basicsize = sizeof(struct callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_vectorcall_offset = offsetof(struct callback, vectorcall),
    .tp_call = PyVectorcall_Call,
};

/* Local events cost other code nothing. Before 3.15 these two exist as global ones only: then undecorated code that raises
 * pays for a callback that finds no mark, some 10 ns of 120. */
enum { LOCAL_COUNT = PY_VERSION_HEX < 0x030f0000 ? 4 : 6, EVENTS = 6 };
static const struct {
    const char *name;
    vectorcallfunc function;
    vectorcallfunc selecting; /* in its place while there are selections; then its event is a global one, too */
} events[EVENTS] = {
    {"PY_START", on_start, on_any_start}, {"PY_RETURN", on_return, NULL}, {"PY_YIELD", on_yield, NULL}, {"PY_RESUME", on_resume, on_any_resume}, /* local */
    {"PY_UNWIND", on_unwind, NULL}, {"PY_THROW", on_throw, NULL}, /* global before 3.15 */
};

enum { CALL_EVENTS = 3 };
static const struct {
    const char *name;
    vectorcallfunc function;
} call_events[CALL_EVENTS] = {{"CALL", on_call}, /* switches the others on, too */ {"C_RETURN", on_c_return}, {"C_RAISE", on_c_raise}};

static struct {
    PyObject *monitoring; /* sys.monitoring */
    PyObject *set_local_events;
    PyObject *tool, *none; /* int objects: our tool id, 0 */
    PyObject *callback[EVENTS], *selecting[EVENTS];
    long event[EVENTS];
    PyObject *call_callback[CALL_EVENTS]; /* while C functions are selected */
    long call_event[CALL_EVENTS];
    bool armed;
    bool to_restart; /* code has been armed whose events may be disabled */
    long tool_id;
} m = {.tool_id = -1};

static PyObject *make_callback(vectorcallfunc function)
{
    struct callback *c = PyObject_New(struct callback, &callback_type);
    if (c)
        c->vectorcall = function;
    return (PyObject *)c;
}

static int make_callbacks(void)
{
    if (PyType_Ready(&callback_type) < 0)
        return -1;
    for (int i = 0; i < EVENTS; i++) {
        Py_XSETREF(m.callback[i], make_callback(events[i].function));
        Py_XSETREF(m.selecting[i], events[i].selecting ? make_callback(events[i].selecting) : NULL);
        if (!m.callback[i] || (events[i].selecting && !m.selecting[i]))
            return -1;
    }
    for (int i = 0; i < CALL_EVENTS; i++) {
        Py_XSETREF(m.call_callback[i], make_callback(call_events[i].function));
        if (!m.call_callback[i])
            return -1;
    }
    return 0;
}

static long read_event_number(PyObject *numbers, const char *name)
{
    PyObject *number = PyObject_GetAttrString(numbers, name);
    long event = number ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    return event;
}

static int read_event_numbers(void)
{
    PyObject *numbers = PyObject_GetAttrString(m.monitoring, "events");
    for (int i = 0; numbers && i < EVENTS; i++)
        m.event[i] = read_event_number(numbers, events[i].name);
    for (int i = 0; numbers && i < CALL_EVENTS; i++)
        m.call_event[i] = read_event_number(numbers, call_events[i].name);
    Py_XDECREF(numbers);
    return PyErr_Occurred() ? -1 : 0;
}

/* The objects that events and calls of sys.monitoring are given. */
static int make_objects(void)
{
    long local = 0;
    for (int i = 0; i < LOCAL_COUNT; i++)
        local |= m.event[i];
    Py_XSETREF(all_local, PyLong_FromLong(local));
    Py_XSETREF(m.none, PyLong_FromLong(0));
    Py_XSETREF(disable, PyObject_GetAttrString(m.monitoring, "DISABLE"));
    Py_XSETREF(m.set_local_events, PyObject_GetAttrString(m.monitoring, "set_local_events"));
    return all_local && m.none && disable && m.set_local_events ? 0 : -1;
}

/* All of it or, where memory fails, nothing: then it is tried again. */
static int prepare(void)
{
    if (m.monitoring)
        return 0;
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    if (!monitoring) {
        PyErr_SetString(PyExc_RuntimeError, "sys.monitoring is missing");
        return -1;
    }
    m.monitoring = Py_NewRef(monitoring);
    if (read_event_numbers() == 0 && make_callbacks() == 0 && make_objects() == 0)
        return 0;
    Py_CLEAR(m.monitoring);
    return -1;
}

/* ---- the tool id: one that nobody reserved; the ids that PEP 669 names for debuggers and the like come last ---- */

static const long tool_ids[] = {3, 4, 2, 5, 1, 0};

static int take_tool_id(void)
{
    for (size_t i = 0; i < sizeof tool_ids / sizeof *tool_ids; i++) {
        PyObject *taken = PyObject_CallMethod(m.monitoring, "use_tool_id", "ls", tool_ids[i], "tscap");
        if (taken) {
            Py_DECREF(taken);
            m.tool_id = tool_ids[i];
            Py_XSETREF(m.tool, PyLong_FromLong(m.tool_id));
            return m.tool ? 0 : -1;
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        PyErr_Clear();
    }
    PyErr_SetString(PyExc_RuntimeError,
                    "all six tool ids of sys.monitoring are in use by other tools (debugger, coverage, profiler): end one of them");
    return -1;
}

static int register_callback(long event, PyObject *callback)
{
    PyObject *old = PyObject_CallMethod(m.monitoring, "register_callback", "llO", m.tool_id, event, callback);
    Py_XDECREF(old);
    return old ? 0 : -1;
}

static int register_callbacks(bool on)
{
    int r = 0;
    for (int i = 0; i < EVENTS && r == 0; i++)
        r = register_callback(m.event[i], !on ? Py_None : selection_any() && m.selecting[i] ? m.selecting[i] : m.callback[i]);
    for (int i = 0; i < CALL_EVENTS && r == 0; i++)
        r = register_callback(m.call_event[i], on && selection_any_builtins() ? m.call_callback[i] : Py_None);
    return r;
}

static int set_global(bool on)
{
    long mask = 0;
    for (int i = 0; i < EVENTS; i++)
        if (i >= LOCAL_COUNT || (selection_any() && m.selecting[i]))
            mask |= m.event[i];
    if (selection_any_builtins())
        mask |= m.call_event[0];
    PyObject *done = PyObject_CallMethod(m.monitoring, "set_events", "ll", m.tool_id, on ? mask : 0l);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Events that were disabled, for code that nobody wanted then, come again: of all tools, there is no other way. */
static int restart_events(void)
{
    PyObject *done = selection_any() ? PyObject_CallMethod(m.monitoring, "restart_events", NULL) : Py_NewRef(Py_None);
    m.to_restart &= !done;
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int set_local(PyCodeObject *code, PyObject *mask)
{
    PyObject *arguments[] = {m.tool, (PyObject *)code, mask};
    Py_INCREF(code); /* it could be freed by what the call runs */
    PyObject *done = PyObject_Vectorcall(m.set_local_events, arguments, 3, NULL);
    Py_DECREF(code);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static int arm_code(PyCodeObject *code, PyFunctionObject *function, void *context)
{
    (void)function;
    return MARKS_SITE(python_code_extra(code, marks_extra)) ? set_local(code, context) : 0;
}

/* Code that gets its site while armed, or loses it. Each restart makes the interpreter look at all code again: one does for many. */
static int follow_code(PyCodeObject *code, PyFunctionObject *function, void *context)
{
    (void)function;
    if (!MARKS_SITE(python_code_extra(code, marks_extra)))
        return set_local(code, m.none);
    m.to_restart = true;
    return set_local(code, context);
}

static int settle(void) { return m.to_restart ? restart_events() : 0; }

/* ---- arming ---- */

bool hook_armed(void) { return m.armed; }
const char *hook_name(void) { return "sys.monitoring (PEP 669)"; }

static void give_tool_id_back(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (set_global(false) < 0 || functions_each(arm_code, m.none) < 0 || register_callbacks(false) < 0)
        PyErr_Clear();
    PyObject *done = PyObject_CallMethod(m.monitoring, "free_tool_id", "l", m.tool_id);
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
    m.tool_id = -1;
}

bool hook_is_dear(void) { return true; }

int hook_arm(void)
{
    if (prepare() < 0 || take_tool_id() < 0)
        return -1;
    if (register_callbacks(true) < 0 || functions_each(arm_code, all_local) < 0 || set_global(true) < 0 || restart_events() < 0) {
        give_tool_id_back();
        return -1;
    }
    m.armed = true;
    functions_follow(follow_code, settle, all_local);
    return 0;
}

void hook_disarm(void)
{
    m.armed = false;
    functions_follow(NULL, NULL, NULL);
    give_tool_id_back();
}

bool hook_check(void) { return true; } /* each tool has callbacks of its own: nobody takes ours */

#endif
