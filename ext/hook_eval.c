/* The hook of CPython 3.9 to 3.11: frame evaluation (PEP 523), installed only while armed. It sees every Python frame of
 * the interpreter, generators and threads that already run included, and costs the others one look at an extra slot. */
#include "python.h"

#if !PYTHON_HAS_MONITORING

#include <pthread.h>

#include "activations.h"
#include "builtins.h"
#include "calls.h"
#include "carried.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "labels.h"
#include "recorder.h"
#include "scope.h"
#include "selection.h"

#if PYTHON_311_AND_LATER
#define Py_BUILD_CORE
#include <internal/pycore_interp.h>
#include <opcode.h>
enum { OPCODE_RETURN_GENERATOR = RETURN_GENERATOR };
#undef Py_BUILD_CORE
#endif

static _PyFrameEvalFunction inner; /* the one before us: usually the interpreter's own */
static bool armed;
static PyInterpreterState *home; /* hooks are per interpreter */

static PyObject *evaluate(PyThreadState *ts, python_frame *f, int throwing);

/* ---- what a frame is: Objects/genobject.c and Python/ceval.c of each version ---- */

#if PYTHON_311_AND_LATER
/* Creating a generator runs a frame of its own up to RETURN_GENERATOR; that is not the generator's. */
static inline bool creates_generator(const python_frame *f)
{
    return f->owner != FRAME_OWNED_BY_GENERATOR && (f->f_code->co_flags & PYTHON_GENERATOR_FLAGS);
}
static inline bool not_started(const python_frame *f) { return _Py_OPCODE(*f->prev_instr) == OPCODE_RETURN_GENERATOR; }
static inline bool is_suspended(const python_frame *f, const PyObject *generator)
{
    (void)f;
    return ((const PyGenObject *)generator)->gi_frame_state == FRAME_SUSPENDED;
}
#else
static inline bool creates_generator(const python_frame *f)
{
    (void)f;
    return false;
}
static inline bool not_started(const python_frame *f) { return f->f_lasti < 0; }
static inline bool is_suspended(const python_frame *f, const PyObject *generator)
{
    (void)generator;
#if PY_VERSION_HEX < 0x030a0000
    return f->f_stacktop != NULL;
#else
    return f->f_state == FRAME_SUSPENDED;
#endif
}
#endif

/* ---- recording ---- */

/* After a call: another era means that recording ended meanwhile, and with it this call. */
static bool is_here_still(const struct thread *t, uint64_t epoch) { return demand_still(epoch) && thread_now() == t && demand_still(epoch); }

static bool is_on_top_still(struct thread *t, const python_frame *f, uint64_t epoch) { return is_here_still(t, epoch) && scope_on_top(t, f); }

static __attribute__((noinline)) void ends(struct thread *t, const python_frame *f, uint32_t site, uint64_t epoch, const PyObject *result)
{
    if (!is_on_top_still(t, f, epoch))
        return;
    calls_exit(t, site, result ? 0 : RECORD_RAISED);
    calls_drop_ended(t);
}

/* By close(), of one that a Profiler tracks: for it that is no exception. */
static bool is_closed(const python_frame *f)
{
    return PyErr_ExceptionMatches(PyExc_GeneratorExit) && functions_are_placed(python_frame_code(f));
}

static PyObject *record_generator(PyThreadState *ts, python_frame *f, int throwing, struct thread *t, uint32_t site, PyObject *generator)
{
    bool resumed = !not_started(f);
    if (!resumed && throwing)
        return inner(ts, f, throwing); /* closed or thrown into before its body began */
    if (!calls_open(t, f, site, OPEN_KEYED))
        return inner(ts, f, throwing);
    uint64_t epoch = t->epoch;
    if (resumed)
        activation_resumes(t, site, (uintptr_t)generator);
    else
        activation_begins(t, site, (uintptr_t)generator);
    calls_began(t, !resumed);
    if (resumed)
        carried_go_on(t, f);
    else
        carried_drop(f);
    PyObject *result = inner(ts, f, throwing);
    bool waits = result && is_suspended(f, generator);
    if (waits && is_here_still(t, epoch))
        carried_wait(t, f);
    if (is_on_top_still(t, f, epoch)) {
        if (waits)
            calls_yield(t, site);
        else
            calls_exit(t, site, result || is_closed(f) ? 0 : RECORD_RAISED);
        activation_stops(t, (uintptr_t)generator, waits);
        calls_drop_ended(t);
    }
    return result;
}

static __attribute__((noinline)) PyObject *record_frame(PyThreadState *ts, python_frame *f, int throwing, uint32_t site)
{
    PyObject *generator = python_generator_of(f);
    struct thread *t = thread_where(!generator || (!throwing && not_started(f))); /* one that goes on was counted when it began */
    if (!t || !armed || !scope_wants(t, python_current_frame(ts)))
        return inner(ts, f, throwing);
    if (generator)
        return record_generator(ts, f, throwing, t, site, generator);
    if (!calls_open(t, f, site, 0))
        return inner(ts, f, throwing);
    uint64_t epoch = t->epoch;
    writer_enter(t->writer, site);
    calls_began(t, true);
    PyObject *result = inner(ts, f, throwing);
    ends(t, f, site, epoch, result);
    return result;
}

/* Not everybody records, or calls have labels. */
static __attribute__((noinline)) PyObject *record_odd(PyThreadState *ts, python_frame *f, int throwing, uint32_t site)
{
    if (scope_nobody_here())
        return inner(ts, f, throwing);
    PyObject *generator = python_generator_of(f);
    if (generator && !not_started(f))
        site = labels_resumed_site(site, (uintptr_t)generator);
    else if (!throwing && !labels_site(f->f_code, &site))
        return NULL; /* it comes out of this call, before its body began */
    return site ? record_frame(ts, f, throwing, site) : inner(ts, f, throwing);
}

static inline PyObject *record_slow(PyThreadState *ts, python_frame *f, int throwing, uint32_t site)
{
    return demand_everyone == DEMAND_ALL ? record_frame(ts, f, throwing, site) : record_odd(ts, f, throwing, site);
}

/* A plain call, on a thread in step, while everybody records. */
static __attribute__((noinline)) PyObject *record(PyThreadState *ts, python_frame *f, int throwing, uint32_t site)
{
    struct thread *t = thread_here;
    bool usual = thread_is_usual(t) && !python_generator_of(f) && t->writer->depth + 1 < t->room;
    if (__builtin_expect(!usual, 0))
        return record_slow(ts, f, throwing, site);
    struct writer *w = t->writer;
    uint64_t epoch = t->epoch;
    uint32_t depth = w->depth + 1;
    t->open[depth] = (struct open_call){.id = f, .what = site};
    writer_enter_then(w, site, NULL);
    PyObject *result = inner(ts, f, throwing);
    bool still_usual = epoch == atomic_load_explicit(demand_usual, memory_order_relaxed); /* else `t` may be gone */
    if (__builtin_expect(!still_usual || w->depth != depth || t->ended, 0))
        ends(t, f, site, epoch, result);
    else
        writer_exit_then(w, site, result ? 0 : RECORD_RAISED, NULL);
    return result;
}

/* ---- the C stack: 3.11 turns Python calls into C calls while a hook is set ---- */

#if PYTHON_311_AND_LATER
static __thread char *stack_low __attribute__((tls_model("initial-exec"))) = (char *)-1; /* not known yet */

/* Below this the hook gets out of the way: three quarters of the stack used, half of a small one. */
static void find_stack_low(void)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    stack_low = NULL;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &lowest, &size) == 0)
        stack_low = (char *)lowest + size / (size < 1 << 20 ? 2 : 4);
    pthread_attr_destroy(&attributes);
}

/* The rest of this recursion belongs to the interpreter, whose calls are inlined again as soon as no hook is set. What it
 * calls, and meanwhile other threads, is not recorded: counted as a pause. */
static __attribute__((noinline)) PyObject *evaluate_near_the_end(PyThreadState *ts, python_frame *f, int throwing)
{
    if (stack_low == (char *)-1) {
        find_stack_low();
        return evaluate(ts, f, throwing);
    }
    atomic_fetch_add_explicit(&recorder_segment()->header->paused, 1, memory_order_relaxed);
    if (_PyInterpreterState_GetEvalFrameFunc(home) == evaluate)
        _PyInterpreterState_SetEvalFrameFunc(home, inner);
    PyObject *result = inner(ts, f, throwing);
    if (armed && _PyInterpreterState_GetEvalFrameFunc(home) == inner)
        _PyInterpreterState_SetEvalFrameFunc(home, evaluate);
    return result;
}
#endif

/* ---- C functions: the profile hook of each thread, where no other profiler has it ---- */

static bool profiling;

static int on_profile(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self, (void)frame;
    if (what == PyTrace_C_CALL)
        return builtins_begin(arg) ? 0 : -1;
    if (what == PyTrace_C_RETURN || what == PyTrace_C_EXCEPTION)
        builtins_end(arg, what == PyTrace_C_EXCEPTION);
    return 0;
}

static inline bool uses_tracing(const PyThreadState *ts)
{
#if PY_VERSION_HEX >= 0x030a0000
    return ts->cframe->use_tracing;
#else
    return ts->use_tracing;
#endif
}

/* A thread that has just begun, whose other profiler has ended, or a greenlet of its own, which starts without. */
static inline bool lacks_profile(const PyThreadState *ts)
{
    return !ts->c_profilefunc || (ts->c_profilefunc == on_profile && !uses_tracing(ts) && !ts->tracing);
}

static void set_profile(PyThreadState *ts, Py_tracefunc function)
{
    if (_PyEval_SetProfile(ts, function, NULL) < 0)
        PyErr_Clear(); /* an audit hook of the program forbids it */
}

static void profile_all(bool on)
{
    profiling = on;
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(home); ts; ts = PyThreadState_Next(ts))
        if (on ? lacks_profile(ts) : ts->c_profilefunc == on_profile)
            set_profile(ts, on ? on_profile : NULL);
}

/* Those whose C functions somebody else hears of, and not we. */
static uint64_t count_profiled_by_others(void)
{
    uint64_t others = 0;
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(home); profiling && ts; ts = PyThreadState_Next(ts))
        others += ts->c_profilefunc && ts->c_profilefunc != on_profile;
    return others;
}

static PyObject *evaluate(PyThreadState *ts, python_frame *f, int throwing)
{
    if (__builtin_expect(profiling, 0) && !throwing && lacks_profile(ts))
        set_profile(ts, on_profile);
#if PYTHON_311_AND_LATER
    if (__builtin_expect((char *)__builtin_frame_address(0) < stack_low, 0))
        return evaluate_near_the_end(ts, f, throwing);
#endif
    uintptr_t extra = python_code_extra(f->f_code, marks_extra);
    uint32_t site = MARKS_SITE(extra);
    if (!site && extra != functions_rejected)
        site = functions_decide(f->f_code, f);
    if (!site || creates_generator(f))
        return inner(ts, f, throwing); /* a tail call: uses no stack */
    return record(ts, f, throwing, site);
}

/* ---- 3.11.0 to 3.11.3: BINARY_SUBSCR_GETITEM runs __getitem__ without looking for a hook (gh-104405) ---- */

#if PYTHON_311_AND_LATER
#define MARKED_VERSION 0x80000000u   /* the specialised instruction compares 16 bits: never equal */
#define INVENTED_VERSION 0xc0000000u /* for a function that had none yet: it would get one that fits while armed */

static bool getitem_ignores_hook(void) { return Py_Version < 0x030b0400; }

/* A version that no inline cache holds sends such calls the long way; kept aside in the function's own version. */
static int hide_version(PyCodeObject *code, PyFunctionObject *function, void *context)
{
    static uint32_t invented;
    (void)context;
    if (!function || code->co_argcount != 2 || function->func_version >= MARKED_VERSION)
        return 0;
    if (function->func_version)
        function->func_version |= MARKED_VERSION;
    else
        function->func_version = INVENTED_VERSION | (invented++ & ~INVENTED_VERSION);
    return 0;
}

static int show_version(PyCodeObject *code, PyFunctionObject *function, void *context)
{
    (void)code, (void)context;
    if (function && function->func_version >= INVENTED_VERSION)
        function->func_version = 0;
    else if (function && function->func_version >= MARKED_VERSION)
        function->func_version &= ~MARKED_VERSION;
    return 0;
}
#endif

/* ---- arming ---- */

bool hook_armed(void) { return armed; }
const char *hook_name(void) { return "frame evaluation (PEP 523)"; }

static void install(void)
{
    _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(home);
    if (now == evaluate)
        return;
    inner = now;
    _PyInterpreterState_SetEvalFrameFunc(home, evaluate);
}

/* Code that gets its site while armed. */
static int arm_new_code(PyCodeObject *code, PyFunctionObject *function, void *context)
{
#if PYTHON_311_AND_LATER
    if (getitem_ignores_hook())
        return hide_version(code, function, context);
#endif
    (void)code, (void)function, (void)context;
    return 0;
}

bool hook_is_dear(void) { return false; }

int hook_arm(void)
{
    home = PyInterpreterState_Get();
#if PYTHON_311_AND_LATER
    if (getitem_ignores_hook())
        functions_each(hide_version, NULL);
#endif
    functions_follow(arm_new_code, NULL, NULL);
    install();
    armed = true;
    if (selection_any_builtins())
        profile_all(true);
    return 0;
}

void hook_disarm(void)
{
    armed = false;
    functions_follow(NULL, NULL, NULL);
    if (profiling)
        profile_all(false);
    if (_PyInterpreterState_GetEvalFrameFunc(home) == evaluate)
        _PyInterpreterState_SetEvalFrameFunc(home, inner);
#if PYTHON_311_AND_LATER
    if (getitem_ignores_hook())
        functions_each(show_version, NULL);
#endif
}

/* Another hook set over ours that does not call on: nothing would be recorded. Ours goes on top again and calls it. Another
 * profiler in the place of ours is left there: it would not be called. */
bool hook_check(void)
{
    if (armed)
        atomic_fetch_add_explicit(&recorder_segment()->header->displaced, count_profiled_by_others(), memory_order_relaxed);
    if (!armed || _PyInterpreterState_GetEvalFrameFunc(home) == evaluate)
        return true;
    atomic_fetch_add_explicit(&recorder_segment()->header->displaced, 1, memory_order_relaxed);
    install();
    return false;
}

#endif
