/* What a recorded call adds, measured once in the process itself: the same empty function with and without the hook. */
#include "hook.h"

#include "clock.h"
#include "functions.h"
#include "linger.h"
#include "recorder.h"

#define CALLS 400
#define ROUNDS 5

/* Nothing holds the function but the caller, so that it goes, and its mark with it. */
static PyObject *make_function(void)
{
    PyObject *globals = Py_BuildValue("{s:s}", "__name__", FUNCTIONS_OWN_MODULE);
    PyObject *result = globals ? PyRun_String("def tscap_own_cost(): pass\n", Py_file_input, globals, globals) : NULL;
    PyObject *function = result ? PyDict_GetItemString(globals, "tscap_own_cost") : NULL; /* borrowed */
    Py_XINCREF(function);
    if (function && PyDict_DelItemString(globals, "tscap_own_cost") < 0)
        Py_CLEAR(function);
    Py_XDECREF(result);
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

/* The calls land in this thread's lane, so the numbers are reset afterwards: nothing has been recorded yet. */
static uint64_t added_by_recording(PyObject *function)
{
    uint64_t without = best_of(function), with;
    if (functions_decorate((PyFunctionObject *)function, NULL, NULL) < 0 || functions_publish(false) < 0 || hook_arm() < 0)
        return 0;
    with = best_of(function);
    linger_note_filtered(with > without ? (with - without) * 1000 / CALLS : 1);
    recorder_measuring(true);
    with = best_of(function);
    recorder_measuring(false);
    hook_disarm();
    return with > without ? (with - without) * 1000 / CALLS : 1;
}

void hook_measure(void)
{
    PyObject *type, *value, *traceback;
    struct segment_header *h = recorder_segment()->header;
    if (atomic_load_explicit(&h->call_cost, memory_order_relaxed) || recorder_consumers())
        return;
    PyErr_Fetch(&type, &value, &traceback);
    bool had_lane = recorder_thread_here != NULL;
    PyObject *function = make_function();
    uint64_t cost = function ? added_by_recording(function) : 0;
    Py_XDECREF(function);
    PyErr_Restore(type, value, traceback);
    atomic_store_explicit(&h->call_cost, cost, memory_order_release);
    if (!had_lane) /* the listener, or a thread that only starts recording */
        recorder_forget_thread();
    recorder_reset();
}
