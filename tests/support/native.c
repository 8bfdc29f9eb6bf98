/* What makers of C extensions do that the interpreter itself does not: functions of types of their own, as Cython and numpy
 * make them, and events of sys.monitoring that C code fires, as Cython does for profile=True since Python 3.13. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <structmember.h>

/* ---- functions of types of their own: they return what they are called with ---- */

struct function {
    PyObject_HEAD
    PyObject *name, *module, *weak;
};

static PyObject *call(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    (void)self, (void)keywords;
    if (PyTuple_GET_SIZE(arguments) != 1) {
        PyErr_SetString(PyExc_TypeError, "it takes one argument");
        return NULL;
    }
    PyObject *result = PyTuple_GET_ITEM(arguments, 0);
    Py_INCREF(result);
    return result;
}

/* As a function is bound to the object whose attribute it is. */
static PyObject *bind(PyObject *self, PyObject *object, PyObject *type)
{
    (void)type;
    if (object && object != Py_None)
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

static void release(PyObject *self)
{
    struct function *f = (struct function *)self;
    if (f->weak)
        PyObject_ClearWeakRefs(self);
    Py_XDECREF(f->name);
    Py_XDECREF(f->module);
    PyObject_Free(self);
}

static PyObject *get_name(PyObject *self, void *unused)
{
    (void)unused;
    Py_INCREF(((struct function *)self)->name);
    return ((struct function *)self)->name;
}

static PyGetSetDef name_alone[] = {{"__name__", get_name, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyGetSetDef both_names[] = {{"__name__", get_name, NULL, NULL, NULL}, {"__qualname__", get_name, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyMemberDef module_too[] = {{"__module__", T_OBJECT, offsetof(struct function, module), READONLY, NULL}, {NULL, 0, 0, 0, NULL}};

/* As Cython's: it can be bound, and referred to weakly. */
static PyTypeObject bindable_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "native.bindable",
    .tp_basicsize = sizeof(struct function),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_call = call,
    .tp_descr_get = bind,
    .tp_dealloc = release,
    .tp_getset = both_names,
    .tp_members = module_too,
    .tp_weaklistoffset = offsetof(struct function, weak),
};

/* As numpy's ufuncs: it has a name, and its type's module. */
static PyTypeObject universal_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "native.universal",
    .tp_basicsize = sizeof(struct function),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_call = call,
    .tp_dealloc = release,
    .tp_getset = name_alone,
};

static PyObject *make(PyTypeObject *type, const char *name)
{
    struct function *f = PyObject_New(struct function, type);
    if (!f)
        return NULL;
    f->name = PyUnicode_FromString(name);
    f->module = PyUnicode_FromString("native.within");
    f->weak = NULL;
    return (PyObject *)f;
}

static PyObject *make_bindable(PyObject *self, PyObject *name)
{
    (void)self;
    const char *text = PyUnicode_AsUTF8(name);
    return text ? make(&bindable_type, text) : NULL;
}

/* ---- events ---- */

#if PY_VERSION_HEX >= 0x030d0000
enum { START, RETURN, UNWIND, THROW, RESUME, CALL, EVENTS };
static const uint8_t kinds[EVENTS] = {[START] = PY_MONITORING_EVENT_PY_START,   [RETURN] = PY_MONITORING_EVENT_PY_RETURN,
                                      [UNWIND] = PY_MONITORING_EVENT_PY_UNWIND, [THROW] = PY_MONITORING_EVENT_PY_THROW,
                                      [RESUME] = PY_MONITORING_EVENT_PY_RESUME, [CALL] = PY_MONITORING_EVENT_CALL};

static int begins(PyMonitoringState *states, PyObject *code)
{
    return PyMonitoring_FirePyStartEvent(&states[START], code, 0) < 0 || PyMonitoring_FirePyResumeEvent(&states[RESUME], code, 0) < 0 ||
           PyMonitoring_FireCallEvent(&states[CALL], code, 0, PyDict_GetItemString(PyEval_GetBuiltins(), "ascii"), Py_None) < 0;
}

static int ends(PyMonitoringState *states, PyObject *code, PyObject *result)
{
    if (result)
        return PyMonitoring_FirePyReturnEvent(&states[RETURN], code, 0, result);
    return PyMonitoring_FirePyThrowEvent(&states[THROW], code, 0) < 0 || PyMonitoring_FirePyUnwindEvent(&states[UNWIND], code, 0) < 0;
}
#endif

/* run(function, code): calls the function within a call of C code that says it runs `code`, any object. */
static PyObject *run(PyObject *self, PyObject *arguments)
{
    PyObject *function, *code;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "OO", &function, &code))
        return NULL;
#if PY_VERSION_HEX >= 0x030d0000
    PyMonitoringState states[EVENTS] = {{0, 0}};
    uint64_t version = 0;
    PyMonitoring_EnterScope(states, &version, kinds, EVENTS);
    if (begins(states, code))
        return NULL;
    PyObject *result = PyObject_CallNoArgs(function);
    if (ends(states, code, result))
        Py_CLEAR(result);
    PyMonitoring_ExitScope();
    return result;
#else
    return PyObject_CallNoArgs(function);
#endif
}

static PyMethodDef functions[] = {
    {"run", run, METH_VARARGS, NULL},
    {"make_bindable", make_bindable, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "native", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit_native(void)
{
    if (PyType_Ready(&bindable_type) < 0 || PyType_Ready(&universal_type) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (!module || PyModule_AddObject(module, "twice", make(&bindable_type, "Twin.twice")) < 0 ||
        PyModule_AddObject(module, "add", make(&universal_type, "add")) < 0)
        return NULL;
    return module;
}
