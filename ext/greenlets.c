#include "greenlets.h"

#include "python.h"

#include "demand.h"

/* greenlet.h: the table in the capsule greenlet._C_API, unchanged since 0.4. */

enum { API_GETCURRENT = 4 };
typedef PyObject *getcurrent(void);
static getcurrent *current;

static PyObject *find_capsule(void)
{
    PyObject *modules = PySys_GetObject("modules");
    PyObject *module = modules ? python_dict_get(modules, "greenlet") : NULL; /* borrowed, all of them */
    PyObject *capsule = module && PyModule_Check(module) ? python_dict_get(PyModule_GetDict(module), "_C_API") : NULL;
    return capsule && PyCapsule_IsValid(capsule, "greenlet._C_API") ? capsule : NULL;
}

void greenlets_look(void)
{
    if (demand_many_stacks)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *capsule = find_capsule();
    void **api = capsule ? PyCapsule_GetPointer(capsule, "greenlet._C_API") : NULL;
    PyErr_Restore(type, value, traceback);
    if (!api)
        return;
    current = (getcurrent *)(uintptr_t)api[API_GETCURRENT];
    demand_note_stacks();
}

const void *greenlets_running(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *greenlet = current();
    if (!greenlet)
        PyErr_Clear();
    Py_XDECREF(greenlet); /* it runs, so it lives */
    PyErr_Restore(type, value, traceback);
    return greenlet;
}
