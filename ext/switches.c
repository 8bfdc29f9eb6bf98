#include "switches.h"

#include "thread.h"

static PyObject *obey; /* NULL: no profiler has been made */

const char switches_doc[] = "_obey_switches(function, /)\n--\n\nIt is called with what `tscap tracks` orders, on a thread of the recorder's: a list of\n"
                            "(number of the profiler's consumer, row of the track, on).";

PyObject *switches_obeyed_by(PyObject *module, PyObject *function)
{
    (void)module;
    PyObject *before = obey;
    obey = Py_NewRef(function);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static PyObject *list_of(const struct track_orders *orders)
{
    PyObject *list = PyList_New((Py_ssize_t)orders->count);
    for (size_t i = 0; list && i < orders->count; i++) {
        const struct track_order *o = &orders->order[i];
        PyObject *order = Py_BuildValue("(IIO)", (unsigned)o->profiler, (unsigned)o->row, o->on ? Py_True : Py_False);
        if (order)
            PyList_SET_ITEM(list, (Py_ssize_t)i, order);
        else
            Py_CLEAR(list);
    }
    return list;
}

int switches_set(const struct track_orders *orders)
{
    if (!obey) {
        PyErr_SetString(PyExc_RuntimeError, "it has no Profiler that the compiled recorder serves");
        return -1;
    }
    PyObject *kept = Py_NewRef(obey), *list = list_of(orders);
    thread_hush(true); /* it is no part of the program */
    PyObject *done = list ? PyObject_CallFunctionObjArgs(kept, list, NULL) : NULL;
    thread_hush(false);
    Py_XDECREF(list);
    Py_XDECREF(done);
    Py_DECREF(kept);
    return done ? 0 : -1;
}
