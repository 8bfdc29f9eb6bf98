#include "measure.h"

#include "clock.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "linger.h"
#include "recorder.h"
#include "session.h"
#include "thread.h"

#define CALLS 400
#define ROUNDS 5

static PyObject *probe; /* the code of the empty function */

/* By now, and not when recording begins: a compiler that runs short of memory has been seen to crash (3.13). */
int measure_prepare(void)
{
    PyObject *module = probe ? NULL : Py_CompileString("def tscap_own_cost(): pass\n", "<string>", Py_file_input);
    PyObject *constants = module ? ((PyCodeObject *)module)->co_consts : NULL; /* borrowed */
    for (Py_ssize_t i = 0; constants && !probe && i < PyTuple_GET_SIZE(constants); i++)
        if (PyCode_Check(PyTuple_GET_ITEM(constants, i)))
            probe = Py_NewRef(PyTuple_GET_ITEM(constants, i));
    Py_XDECREF(module);
    return probe ? 0 : -1;
}

/* Nothing holds the function but the caller, so that it goes, and its mark with it: that is on a copy of the code. */
static PyObject *make_function(void)
{
    PyObject *globals = Py_BuildValue("{s:s}", "__name__", FUNCTIONS_OWN_MODULE);
    PyObject *function = globals && probe ? PyFunction_New(probe, globals) : NULL;
    Py_XDECREF(globals);
    return function;
}

static uint64_t best_of(PyObject *function)
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t before = clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < CALLS; i++)
            Py_XDECREF(PyObject_CallNoArgs(function));
        uint64_t ns = clock_ns(CLOCK_MONOTONIC) - before;
        best = ns < best ? ns : best;
    }
    return best;
}

/* What the calls take, in picoseconds for each; 0: other threads, which run meanwhile, have made it useless. */
static uint64_t added_by_recording(PyObject *function)
{
    uint64_t without = best_of(function), filtered, with;
    bool decorated = functions_decorate((PyFunctionObject *)function, NULL, NULL) == 0 && functions_arm(false) == 0;
    if (!decorated || hook_armed() || demand_consumers() || hook_arm() < 0)
        return 0;
    filtered = best_of(function);
    demand_measure(true);
    with = best_of(function);
    demand_measure(false);
    if (demand_consumers())
        return 0;
    if (hook_armed())
        hook_disarm();
    linger_note_filtered(filtered > without ? (filtered - without) * 1000 / CALLS : 1);
    return with > without ? (with - without) * 1000 / CALLS : 1;
}

/* The calls land in this thread's lane, so the numbers are reset afterwards: nothing has been recorded yet. */
static void measure(struct segment_header *h)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    bool had_lane = thread_here != NULL;
    uint64_t epoch = demand_epoch_now();
    PyObject *function = make_function();
    recorder_measuring_here(true);
    uint64_t cost = function ? added_by_recording(function) : 0;
    recorder_measuring_here(false);
    Py_XDECREF(function);
    PyErr_Restore(type, value, traceback);
    atomic_store_explicit(&h->call_cost, cost, memory_order_release);
    if (!had_lane) /* the listener, or a thread that only starts recording */
        thread_forget();
    if (epoch == demand_epoch_now()) /* else others have begun to record */
        session_reset();
}

void measure_call_cost(void)
{
    static bool measuring;
    struct segment_header *h = recorder_segment()->header;
    if (measuring || atomic_load_explicit(&h->call_cost, memory_order_relaxed) || demand_consumers())
        return;
    measuring = true;
    measure(h);
    measuring = false;
}
