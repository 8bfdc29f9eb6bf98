#include "builtin_modules.h"

#include <string.h>

PyObject *builtin_module_loaded(const char *name)
{
    PyObject *module = python_dict_get(PyImport_GetModuleDict(), name);
    return module && PyModule_Check(module) ? module : NULL;
}

#if PY_VERSION_HEX >= 0x030a0000
static PyObject *make(PyObject *bootstrap, const char *name)
{
    PyObject *imp = builtin_module_loaded("_imp"); /* borrowed */
    PyObject *spec = imp ? PyObject_CallMethod(bootstrap, "ModuleSpec", "sO", name, Py_None) : NULL;
    PyObject *module = spec ? PyObject_CallMethod(imp, "create_builtin", "O", spec) : NULL;
    PyObject *done = module ? PyObject_CallMethod(imp, "exec_builtin", "O", module) : NULL;
    if (!done)
        Py_CLEAR(module);
    Py_XDECREF(spec);
    Py_XDECREF(done);
    return module;
}
#else
/* This way it is in sys.modules afterwards. What is made again from there has the same contents, except that of atexit, whose
 * second module would replace the first. */
static PyObject *make(PyObject *bootstrap, const char *name)
{
    PyObject *module = PyObject_CallMethod(bootstrap, "_builtin_from_name", "s", name);
    if (module && strcmp(name, "atexit") != 0 && PyDict_DelItemString(PyImport_GetModuleDict(), name) < 0)
        PyErr_Clear();
    return module;
}
#endif

PyObject *builtin_module(const char *name)
{
    PyObject *loaded = builtin_module_loaded(name), *bootstrap = builtin_module_loaded("_frozen_importlib");
    if (loaded)
        return Py_NewRef(loaded);
    PyObject *module = bootstrap ? make(bootstrap, name) : NULL;
    if (!module && !PyErr_Occurred())
        PyErr_Format(PyExc_ImportError, "the interpreter has no %s", name);
    return module;
}
