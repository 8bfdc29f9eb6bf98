#include "qualname.h"

#include <stdbool.h>

#if PYTHON_311_AND_LATER

PyObject *qualname_of(PyCodeObject *code, const python_frame *frame)
{
    (void)frame;
    Py_INCREF(code->co_qualname);
    return code->co_qualname;
}

int qualname_prepare(void) { return 0; }

#else

/* ---- a function that runs this code: it knows its name ---- */

/* Behind classmethod, staticmethod and property: Objects/funcobject.c and descrobject.c begin these so in 3.9 and 3.10. */
struct wrapper {
    PyObject_HEAD
    PyObject *part[3]; /* the callable; getter, setter, deleter */
};

static PyObject *name_if_runs(PyObject *o, const PyCodeObject *code)
{
    if (!o || !PyFunction_Check(o) || ((PyFunctionObject *)o)->func_code != (PyObject *)code)
        return NULL;
    return Py_NewRef(((PyFunctionObject *)o)->func_qualname);
}

static PyObject *name_of_member(PyObject *member, const PyCodeObject *code)
{
    PyObject *name = name_if_runs(member, code);
    if (name || !member)
        return name;
    int parts = Py_TYPE(member) == &PyProperty_Type ? 3 : Py_TYPE(member) == &PyClassMethod_Type || Py_TYPE(member) == &PyStaticMethod_Type ? 1 : 0;
    for (int i = 0; i < parts && !name; i++)
        name = name_if_runs(((struct wrapper *)member)->part[i], code);
    return name;
}

/* As a method of the class of its first argument, or of that argument as a class. No attribute is asked for: that could run
 * code of the program. */
static PyObject *name_as_method(const PyCodeObject *code, const python_frame *frame)
{
    PyObject *self = code->co_argcount > 0 ? frame->f_localsplus[0] : NULL;
    PyTypeObject *type = self ? PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self) : NULL;
    PyObject *mro = type ? type->tp_mro : NULL, *name = NULL;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro) && !name; i++) {
        PyObject *base = PyTuple_GET_ITEM(mro, i);
        PyObject *members = PyType_Check(base) ? ((PyTypeObject *)base)->tp_dict : NULL;
        name = members ? name_of_member(PyDict_GetItemWithError(members, code->co_name), code) : NULL;
    }
    return name;
}

static PyObject *name_as_global(const PyCodeObject *code, const python_frame *frame)
{
    PyObject *globals = frame->f_globals;
    return globals && PyDict_Check(globals) ? name_if_runs(PyDict_GetItemWithError(globals, code->co_name), code) : NULL;
}

/* ---- or the code that makes the function: the caller, for what is made and called at once ---- */

static bool makes(const PyCodeObject *maker, const PyCodeObject *code)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(maker->co_consts); i++)
        if (PyTuple_GET_ITEM(maker->co_consts, i) == (PyObject *)code)
            return true;
    return false;
}

static PyObject *find(PyCodeObject *code, const python_frame *frame, int levels);

static PyObject *name_within_caller(PyCodeObject *code, const python_frame *frame, int levels)
{
    const python_frame *caller = frame->f_back;
    if (!caller || levels == 0 || !makes(caller->f_code, code))
        return NULL;
    if (!(caller->f_code->co_flags & CO_OPTIMIZED))
        return Py_NewRef(code->co_name);
    PyObject *outer = find(caller->f_code, caller, levels - 1);
    PyObject *name = outer ? PyUnicode_FromFormat("%U.<locals>.%U", outer, code->co_name) : NULL;
    Py_XDECREF(outer);
    return name;
}

/* ---- or any function there is ---- */

static PyObject *get_referrers; /* of gc */

static PyObject *name_by_referrer(PyCodeObject *code)
{
    PyObject *name = NULL;
    PyObject *referrers = get_referrers ? PyObject_CallFunctionObjArgs(get_referrers, code, NULL) : NULL;
    for (Py_ssize_t i = 0; referrers && i < PyList_GET_SIZE(referrers) && !name; i++)
        name = name_if_runs(PyList_GET_ITEM(referrers, i), code);
    Py_XDECREF(referrers);
    return name;
}

static PyObject *find(PyCodeObject *code, const python_frame *frame, int levels)
{
    PyObject *name = name_as_method(code, frame);
    if (!name)
        name = name_as_global(code, frame);
    if (!name)
        name = name_within_caller(code, frame, levels);
    return name ? name : name_by_referrer(code);
}

int qualname_prepare(void)
{
    PyObject *gc = get_referrers ? NULL : PyImport_ImportModule("gc");
    if (gc)
        get_referrers = PyObject_GetAttrString(gc, "get_referrers");
    Py_XDECREF(gc);
    return get_referrers ? 0 : -1;
}

PyObject *qualname_of(PyCodeObject *code, const python_frame *frame)
{
    PyObject *name = find(code, frame, 8);
    PyErr_Clear();
    return name ? name : Py_NewRef(code->co_name);
}

#endif
