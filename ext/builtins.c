#include "builtins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linger.h"
#include "recorder.h"
#include "watch.h"

/* What a callable is made of: its definition in C. That is one for a method and for what binding the method makes, so all
 * of them are one site. */
struct builtin {
    const PyMethodDef *def; /* NULL: free */
    PyTypeObject *type;     /* whose __new__ it is: those share one definition; NULL: something else */
    uint32_t site;          /* 0: not recorded */
    PyObject *kept;         /* what the definition belongs to, so that nothing else gets its place in memory */
};

#define ENTRIES_MAX (1u << 17) /* half of them are used: who makes functions without end has most of them under one name */
#define TEXT_MAX 512

static struct {
    struct builtin *entry; /* [room], a power of two; by hash of both */
    uint32_t room, count;
    uint32_t others; /* the site of those for which there is no room */
} b;

static const PyMethodDef *new_def; /* of each __new__ of a type in C */

/* ---- what is called ---- */

static inline const PyMethodDef *def_of(PyObject *callable)
{
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type))
        return ((PyMethodDescrObject *)callable)->d_method;
    if (Py_IS_TYPE(callable, &PyCFunction_Type) || Py_IS_TYPE(callable, &PyCMethod_Type))
        return ((PyCFunctionObject *)callable)->m_ml;
    return NULL;
}

static PyObject *self_of(PyObject *callable)
{
    return Py_IS_TYPE(callable, &PyMethodDescr_Type) ? NULL : ((PyCFunctionObject *)callable)->m_self;
}

static inline PyTypeObject *type_of_new(PyObject *callable, const PyMethodDef *def)
{
    if (__builtin_expect(def != new_def, 1))
        return NULL;
    PyObject *self = self_of(callable);
    return self && PyType_Check(self) ? (PyTypeObject *)self : NULL;
}

/* ---- names ---- */

struct names {
    char module[TEXT_MAX], qualname[TEXT_MAX], whole[TEXT_MAX];
};

static const char *text_of(PyObject *o)
{
    const char *text = o && PyUnicode_Check(o) ? PyUnicode_AsUTF8(o) : NULL;
    if (!text)
        PyErr_Clear();
    return text;
}

/* Types in C have their module in tp_name, or none: then they are built in, or have been made at run time. */
static void name_type(PyTypeObject *type, char *module, const char **name)
{
    const char *dot = strrchr(type->tp_name, '.');
    PyObject *attribute = dot ? NULL : PyUnicode_FromString("__module__");
    const char *said = attribute ? text_of(_PyType_Lookup(type, attribute)) : NULL;
    Py_XDECREF(attribute);
    *name = dot ? dot + 1 : type->tp_name;
    if (dot)
        snprintf(module, TEXT_MAX, "%.*s", (int)(dot - type->tp_name), type->tp_name);
    else
        snprintf(module, TEXT_MAX, "%s", type->tp_flags & Py_TPFLAGS_HEAPTYPE && said ? said : "builtins");
}

/* Which of a type's bases has this method? A descriptor, borrowed. */
static PyObject *find_descriptor(PyTypeObject *type, const PyMethodDef *def)
{
    PyObject *name = PyUnicode_FromString(def->ml_name), *bases = type->tp_mro, *found = NULL;
    for (Py_ssize_t i = 0; name && bases && !found && i < PyTuple_GET_SIZE(bases); i++) {
        PyObject *base = PyTuple_GET_ITEM(bases, i);
        PyObject *o = PyType_Check(base) ? _PyType_Lookup((PyTypeObject *)base, name) : NULL;
        bool method = o && (Py_IS_TYPE(o, &PyMethodDescr_Type) || Py_IS_TYPE(o, &PyClassMethodDescr_Type));
        if (method && ((PyMethodDescrObject *)o)->d_method == def)
            found = o;
    }
    Py_XDECREF(name);
    PyErr_Clear();
    return found;
}

static void name_method(struct names *n, PyTypeObject *type, const char *method)
{
    const char *name;
    name_type(type, n->module, &name);
    snprintf(n->qualname, sizeof n->qualname, "%s.%s", name, method);
    if (strcmp(n->module, "builtins") == 0)
        snprintf(n->whole, sizeof n->whole, "%s", n->qualname);
    else
        snprintf(n->whole, sizeof n->whole, "%.200s.%.300s", n->module, n->qualname);
}

static void name_function(struct names *n, PyObject *module, const char *function)
{
    const char *said = text_of(module);
    snprintf(n->module, sizeof n->module, "%s", said ? said : "");
    snprintf(n->qualname, sizeof n->qualname, "%s", function);
    snprintf(n->whole, sizeof n->whole, "%.200s%s%.300s", n->module, n->module[0] ? "." : "", n->qualname);
}

/* Its names, and what keeps its definition where it is (borrowed): a type's method for as long as the type lives. */
static PyObject *name_callable(struct names *n, PyObject *callable, const PyMethodDef *def)
{
    PyObject *self = self_of(callable), *descriptor = NULL;
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type))
        descriptor = callable;
    else if (type_of_new(callable, def)) {
        name_method(n, (PyTypeObject *)self, def->ml_name);
        return self;
    } else if (self && !PyModule_Check(self))
        descriptor = find_descriptor(PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self), def);
    if (descriptor)
        name_method(n, ((PyDescrObject *)descriptor)->d_type, def->ml_name);
    else
        name_function(n, ((PyCFunctionObject *)callable)->m_module, def->ml_name);
    return descriptor ? descriptor : callable;
}

/* ---- which are known ---- */

static size_t place_of(const PyMethodDef *def, const PyTypeObject *type)
{
    uint64_t hash = ((uintptr_t)def ^ (uintptr_t)type << 1) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) & (b.room - 1);
}

static struct builtin *find(const PyMethodDef *def, const PyTypeObject *type)
{
    size_t i = place_of(def, type);
    while (b.entry[i].def && (b.entry[i].def != def || b.entry[i].type != type))
        i = (i + 1) & (b.room - 1);
    return &b.entry[i];
}

static bool grow(void)
{
    uint32_t room = b.room ? 2 * b.room : 256, old_room = b.room;
    struct builtin *old = b.entry, *more = b.room < ENTRIES_MAX ? calloc(room, sizeof *more) : NULL;
    if (!more)
        return false;
    b.entry = more;
    b.room = room;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].def)
            *find(old[i].def, old[i].type) = old[i];
    free(old);
    return true;
}

static uint32_t intern(const char *name, const char *qualname, const char *module)
{
    struct site site = {.name = name, .qualname = qualname, .module = module, .file = "", .kind = SITE_FUNCTION};
    return sites_intern(recorder_sites(), &site);
}

static uint32_t site_of_others(void)
{
    if (!b.others)
        b.others = intern("(other C functions)", "(other C functions)", "");
    return b.others;
}

static uint32_t decide(PyObject *callable, const PyMethodDef *def, PyTypeObject *type)
{
    struct names n;
    PyObject *kept = name_callable(&n, callable, def);
    uint32_t site = watch_wants_builtin(n.module, n.qualname) ? intern(n.whole, n.qualname, n.module) : 0;
    *find(def, type) = (struct builtin){.def = def, .type = type, .site = site, .kept = Py_NewRef(kept)};
    b.count++;
    return site;
}

static __attribute__((noinline)) uint32_t new_site(PyObject *callable, const PyMethodDef *def, PyTypeObject *type)
{
    PyObject *exception_type, *value, *traceback;
    if (!recorder_available())
        return 0;
    if (!new_def) {
        PyObject *f = PyObject_GetAttrString((PyObject *)&PyBaseObject_Type, "__new__");
        new_def = f ? def_of(f) : NULL;
        Py_XDECREF(f);
        type = type_of_new(callable, def);
    }
    if (2 * b.count >= b.room && !grow())
        return site_of_others();
    PyErr_Fetch(&exception_type, &value, &traceback); /* of what was raised */
    uint32_t site = decide(callable, def, type);
    PyErr_Restore(exception_type, value, traceback);
    return site;
}

static inline uint32_t site_of(PyObject *callable, const PyMethodDef *def)
{
    PyTypeObject *type = type_of_new(callable, def);
    const struct builtin *e = b.room ? find(def, type) : NULL;
    return e && e->def ? e->site : new_site(callable, def, type);
}

void builtins_forget(void)
{
    struct builtin *entry = b.entry;
    uint32_t room = b.room;
    memset(&b, 0, sizeof b);
    for (uint32_t i = 0; i < room; i++)
        Py_XDECREF(entry[i].kept); /* may run anything */
    free(entry);
}

/* ---- calls ---- */

void builtins_begin(PyObject *callable)
{
    const PyMethodDef *def = def_of(callable);
    if (!def || !recorder_on)
        return;
    if (recorder_nobody_here()) {
        linger_count();
        return;
    }
    uint32_t site = site_of(callable, def);
    struct thread *t = site ? recorder_thread() : NULL;
    if (t && recorder_wanted(t, python_current_frame(python_this_thread())))
        recorder_block_enter(t, def, site);
}

void builtins_end(PyObject *callable, bool raised)
{
    const PyMethodDef *def = def_of(callable);
    if (!def || !recorder_on || !recorder_thread_here || !site_of(callable, def))
        return;
    struct thread *t = recorder_thread();
    if (t && t->hosts.count) /* its collector may have to be brought back */
        scope_resolve(t, python_current_frame(python_this_thread()));
    if (t)
        recorder_block_exit(t, def, raised);
}
