#include "code_origin.h"

bool code_origin_is_generated(const PyCodeObject *code)
{
    PyObject *file = code->co_filename;
    if (PyUnicode_GET_LENGTH(file) == 0 || PyUnicode_READ_CHAR(file, 0) != '<')
        return false;
    PyObject *frozen = PyUnicode_FromString("<frozen ");
    bool generated = frozen && PyUnicode_Tailmatch(file, frozen, 0, PyUnicode_GET_LENGTH(file), -1) == 0;
    Py_XDECREF(frozen);
    PyErr_Clear();
    return generated;
}

PyObject *code_origin_wrapped(const PyFunctionObject *function)
{
    return function->func_dict && PyDict_Check(function->func_dict) ? python_dict_get(function->func_dict, "__wrapped__") : NULL;
}
