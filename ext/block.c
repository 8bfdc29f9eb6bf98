#include "block.h"

#include "calls.h"
#include "demand.h"
#include "membership.h"
#include "recorder.h"
#include "scope.h"
#include "text.h"
#include "thread.h"

struct block {
    PyObject_HEAD
    PyObject *name;
};

static PyObject *sites[2]; /* name -> site number: blocks, collectors */

void block_tell(unsigned member)
{
    PyObject *name, *number;
    for (int i = 0; i < 2; i++)
        for (Py_ssize_t next = 0; sites[i] && PyDict_Next(sites[i], &next, &name, &number);)
            membership_add_site(MEMBER_BIT(member), (uint32_t)PyLong_AsUnsignedLong(number));
}

void block_forget_sites(void)
{
    for (int i = 0; i < 2; i++)
        if (sites[i])
            PyDict_Clear(sites[i]);
}

static uint32_t new_site(PyObject *name, uint32_t kind)
{
    PyFrameObject *frame = PyEval_GetFrame(); /* borrowed */
    PyCodeObject *code = frame ? PyFrame_GetCode(frame) : NULL;
    PyObject *kept[2];
    struct site site = {
        .name = text_name(name, &kept[0]),
        .file = text_name(code ? code->co_filename : NULL, &kept[1]),
        .line = frame ? (uint32_t)PyFrame_GetLineNumber(frame) : 0,
        .kind = kind,
    };
    site.qualname = site.name;
    uint32_t number = sites_intern(recorder_sites(), &site);
    Py_XDECREF(kept[0]);
    Py_XDECREF(kept[1]);
    Py_XDECREF(code);
    return number;
}

uint32_t block_site(PyObject *name, uint32_t kind)
{
    PyObject **table = &sites[kind == SITE_COLLECTOR];
    if (!*table && !(*table = PyDict_New())) {
        PyErr_Clear();
        return 0;
    }
    PyObject *number = PyDict_GetItemWithError(*table, name); /* borrowed */
    if (number)
        return (uint32_t)PyLong_AsUnsignedLong(number);
    uint32_t site = new_site(name, kind);
    membership_add_site(membership_decorated, site);
    number = site ? PyLong_FromUnsignedLong(site) : NULL;
    if (number && PyDict_SetItem(*table, name, number) < 0)
        PyErr_Clear();
    Py_XDECREF(number);
    return site;
}

/* Its site if somebody who runs wants it, else 0. */
static uint32_t wanted_site(const struct block *b)
{
    return (membership_decorated | membership_everything) & membership_running ? block_site(b->name, SITE_BLOCK) : 0;
}

static PyObject *block_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", NULL};
    PyObject *name;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:timestamp_block", names, &name))
        return NULL;
    struct block *b = (struct block *)type->tp_alloc(type, 0);
    if (b)
        b->name = Py_NewRef(name);
    return (PyObject *)b;
}

static void block_dealloc(PyObject *self)
{
    Py_XDECREF(((struct block *)self)->name);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *block_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (__builtin_expect(demand_on, 0) && !scope_nobody_here()) {
        struct thread *t = thread_now();
        uint32_t site = t ? wanted_site((struct block *)self) : 0;
        if (site && scope_wants(t, python_current_frame(PyThreadState_Get())))
            calls_block_enter(t, self, site, 0);
    }
    Py_RETURN_NONE;
}

static PyObject *block_exit(PyObject *self, PyObject *args)
{
    if (__builtin_expect(demand_on && thread_here, 0)) {
        struct thread *t = thread_now();
        bool raised = PyTuple_Check(args) && PyTuple_GET_SIZE(args) > 0 && PyTuple_GET_ITEM(args, 0) != Py_None;
        if (t && t->hosts.count) /* its collector may have to be brought back */
            scope_resolve(t, python_current_frame(PyThreadState_Get()));
        if (t)
            calls_block_exit(t, self, raised);
    }
    Py_RETURN_FALSE;
}

/* As a decorator: the whole function is the block. */
static PyObject *block_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *helper = PyImport_ImportModule("timestamp_capture._decorators");
    PyObject *wrap = helper ? PyObject_GetAttrString(helper, "wrap_in_block") : NULL;
    PyObject *function, *result = NULL;
    static char *names[] = {"function", NULL};
    if (wrap && PyArg_ParseTupleAndKeywords(args, kwargs, "O", names, &function))
        result = PyObject_CallFunctionObjArgs(wrap, ((struct block *)self)->name, function, NULL);
    Py_XDECREF(helper);
    Py_XDECREF(wrap);
    return result;
}

static PyObject *block_repr(PyObject *self) { return PyUnicode_FromFormat("timestamp_block(%R)", ((struct block *)self)->name); }

static PyObject *block_get_name(PyObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(((struct block *)self)->name);
}

static PyMethodDef block_methods[] = {
    {"__enter__", block_enter, METH_NOARGS, NULL},
    {"__exit__", block_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef block_attributes[] = {{"name", block_get_name, NULL, PyDoc_STR("Its name."), NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyTypeObject block_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "timestamp_capture.timestamp_block",
    .tp_doc = PyDoc_STR("timestamp_block(name)\n--\n\nRecord the enclosed code under `name` while somebody records; else do nothing.\n\n"
                        "    with timestamp_block(\"parse\"):\n        ...\n\nAlso a decorator: the whole function is the block."),
    .tp_basicsize = sizeof(struct block),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = block_new,
    .tp_dealloc = block_dealloc,
    .tp_call = block_call,
    .tp_repr = block_repr,
    .tp_methods = block_methods,
    .tp_getset = block_attributes,
};

int block_add_type(PyObject *module)
{
    if (PyType_Ready(&block_type) < 0)
        return -1;
    Py_INCREF(&block_type);
    return PyModule_AddObject(module, "timestamp_block", (PyObject *)&block_type);
}
