#include "labels.h"

#include "activations.h"
#include "demand.h"
#include "recorder.h"
#include "thread.h"
#include "thread_names.h"
#include "variants.h"

#define ATTEMPTS 3 /* to get a label that holds: a callback may set others each time that it is asked */

bool labels_on;

static PyObject *asked;   /* the callable; NULL: there are no labels */
static uint64_t versions; /* of what labels mean */

void labels_ask(PyObject *callable)
{
    PyObject *before = asked;
    Py_XINCREF(callable);
    asked = callable;
    versions++;
    labels_on = callable != NULL;
    demand_set_labels(labels_on);
    Py_XDECREF(before); /* may run anything */
}

/* Memory and stack run short for anybody: that is no news for the program, whose call was fine. */
static bool is_for_the_program(void)
{
    return PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_MemoryError) && !PyErr_ExceptionMatches(PyExc_RecursionError);
}

/* The interpreter tells of nothing while somebody is told of an event, as we are: nor of what the callback goes over to, another
 * greenlet's calls. */
static PyObject *call_told(PyObject *callable)
{
#if PYTHON_HAS_MONITORING
    PyThreadState *ts = python_this_thread();
    if (ts->tracing) {
        PyThreadState_LeaveTracing(ts);
        PyObject *answer = PyObject_CallNoArgs(callable);
        PyThreadState_EnterTracing(ts);
        return answer;
    }
#endif
    return PyObject_CallNoArgs(callable);
}

static bool ask(uint32_t *label)
{
    PyObject *type, *value, *traceback, *callable = Py_NewRef(asked);
    PyErr_Fetch(&type, &value, &traceback); /* of what is being raised */
    thread_hush(true);
    PyObject *answer = call_told(callable);
    thread_hush(false);
    unsigned long number = answer ? PyLong_AsUnsignedLong(answer) : 0;
    *label = !PyErr_Occurred() && number <= UINT32_MAX ? (uint32_t)number : 0;
    Py_XDECREF(answer);
    Py_DECREF(callable);
    if (is_for_the_program()) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return false;
    }
    PyErr_Restore(type, value, traceback);
    return true;
}

/* One that others made out of date meanwhile is none. */
static bool ask_until_it_holds(uint32_t *label)
{
    *label = 0;
    for (int i = 0; i < ATTEMPTS && labels_on; i++) {
        uint64_t version = versions;
        if (!ask(label))
            return false;
        if (version == versions)
            return true;
        *label = 0;
    }
    return true;
}

static bool may_ask(const PyCodeObject *code)
{
    return !demand_is_of_parent() && !thread_is_hushed() && !python_is_finalizing() && thread_names_is_settled(code);
}

bool labels_note_call(void)
{
    uint32_t label;
    return !may_ask(NULL) || ask_until_it_holds(&label);
}

bool labels_find_site(const PyCodeObject *code, uint32_t *site)
{
    if (!may_ask(code))
        return true;
    uint32_t generation = recorder_generation(), label;
    int32_t process = recorder_segment()->pid;
    bool fine = ask_until_it_holds(&label);
    if (!recorder_available() || generation != recorder_generation() || process != recorder_segment()->pid)
        *site = 0; /* it was one of a segment that has gone */
    else if (label)
        *site = variants_site(*site, label);
    return fine;
}

uint32_t labels_resumed_site(uint32_t site, uint64_t key)
{
    uint32_t began = variants_known && site ? activation_site(key) : 0;
    return began && variants_function(began) == site ? began : site;
}
