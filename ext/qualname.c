#include "qualname.h"

#include "code_origin.h"

/* ---- the class that has the function ---- */

#define WRAPPERS 8 /* around each other */

/* Behind classmethod, staticmethod and property: Objects/funcobject.c and descrobject.c begin these so in all versions. */
struct wrapper {
    PyObject_HEAD
    PyObject *part[3]; /* the callable; getter, setter, deleter */
};

/* The function that runs this code, or one that functools.wraps() has put around it. */
static PyFunctionObject *if_runs(PyObject *o, const PyCodeObject *code)
{
    for (int i = 0; o && PyFunction_Check(o) && i < WRAPPERS; i++) {
        PyFunctionObject *function = (PyFunctionObject *)o;
        if (function->func_code == (PyObject *)code)
            return function;
        o = code_origin_wrapped(function);
    }
    return NULL;
}

static PyFunctionObject *function_of_member(PyObject *member, const PyCodeObject *code)
{
    PyFunctionObject *function = if_runs(member, code);
    if (function || !member)
        return function;
    int parts = Py_TYPE(member) == &PyProperty_Type ? 3 : Py_TYPE(member) == &PyClassMethod_Type || Py_TYPE(member) == &PyStaticMethod_Type ? 1 : 0;
    for (int i = 0; i < parts && !function; i++)
        function = if_runs(((struct wrapper *)member)->part[i], code);
    return function;
}

/* A method of the class of its first argument, or of that argument as a class; and of which base. No attribute is asked for:
 * that could run code of the program. */
static PyFunctionObject *find_method(const PyCodeObject *code, const python_frame *frame, PyTypeObject **in)
{
    PyObject *self = code->co_argcount > 0 ? python_frame_local(frame, 0) : NULL;
    PyTypeObject *type = self ? PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self) : NULL;
    PyObject *mro = type ? type->tp_mro : NULL;
    PyFunctionObject *function = NULL;
    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro) && !function; i++) {
        PyObject *base = PyTuple_GET_ITEM(mro, i);
        PyObject *members = PyType_Check(base) ? ((PyTypeObject *)base)->tp_dict : NULL;
        function = members ? function_of_member(PyDict_GetItemWithError(members, code->co_name), code) : NULL;
        *in = (PyTypeObject *)base;
    }
    return function;
}

/* What dataclasses generate is compiled in a function of theirs, and not all of it gets another name. */
static PyObject *name_in_class(const PyTypeObject *type, const PyCodeObject *code)
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return NULL;
    return PyUnicode_FromFormat("%U.%U", ((const PyHeapTypeObject *)type)->ht_qualname, code->co_name);
}

/* ---- the name ---- */

#if PYTHON_311_AND_LATER

static PyObject *name_of_generated(PyCodeObject *code, const python_frame *frame)
{
    PyTypeObject *type = NULL;
    bool in_class = code->co_flags & CO_NESTED && find_method(code, frame, &type);
    PyObject *name = in_class ? name_in_class(type, code) : NULL;
    PyObject *o = name ? NULL : python_frame_function(frame);
    const PyFunctionObject *function = o && PyFunction_Check(o) ? (PyFunctionObject *)o : NULL;
    return function && !code_origin_wrapped(function) ? Py_NewRef(function->func_qualname) : name;
}

PyObject *qualname_of(PyCodeObject *code, const python_frame *frame)
{
    PyObject *name = code_origin_is_generated(code) ? name_of_generated(code, frame) : NULL;
    PyErr_Clear();
    return name ? name : Py_NewRef(code->co_qualname);
}

int qualname_prepare(void) { return 0; }
void qualname_forget(void) {}

#else

#include "code_names.h"

static PyFunctionObject *find_global(const PyCodeObject *code, const python_frame *frame)
{
    PyObject *globals = frame->f_globals;
    return globals && PyDict_Check(globals) ? if_runs(PyDict_GetItemWithError(globals, code->co_name), code) : NULL;
}

/* Borrowed. */
static PyObject *name_if_own(PyFunctionObject *function, bool generated)
{
    bool own = function && (generated ? !code_origin_wrapped(function) : code_names_own(function));
    return own ? function->func_qualname : NULL;
}

static PyObject *find(PyCodeObject *code, const python_frame *frame)
{
    bool generated = code_origin_is_generated(code);
    PyTypeObject *type = NULL;
    PyFunctionObject *method = find_method(code, frame, &type);
    PyObject *name = NULL;
    if (method && generated && code->co_flags & CO_NESTED) /* as what dataclasses generate, see above */
        return name_in_class(type, code);
    name = name_if_own(method, generated);
    if (!name)
        name = name_if_own(find_global(code, frame), generated);
    if (!name && frame->f_back)
        name = code_names_made(frame->f_back->f_code, code);
    if (!name)
        name = code_names_find(code);
    if (name)
        return Py_NewRef(name);
    return method && !(code->co_flags & CO_NESTED) ? name_in_class(type, code) : NULL;
}

PyObject *qualname_of(PyCodeObject *code, const python_frame *frame)
{
    PyObject *name = find(code, frame);
    PyErr_Clear();
    return name ? name : Py_NewRef(code->co_name);
}

int qualname_prepare(void) { return code_names_prepare(); }
void qualname_forget(void) { code_names_forget(); }

#endif
