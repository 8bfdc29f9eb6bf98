#include "builtins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "demand.h"
#include "functions.h"
#include "labels.h"
#include "linger.h"
#include "recorder.h"
#include "scope.h"
#include "selection.h"
#include "thread.h"

/* What a callable is made of: its definition in C. That is one for a method and for what binding the method makes, so all
 * of them are one site. A callable of a type of its own (numpy's ufuncs, Cython's functions) stands for itself. */
struct builtin {
    const void *made_of; /* NULL: free */
    PyTypeObject *type;  /* whose __new__ it is: those share one definition; NULL: something else */
    uint32_t site;       /* 0: not recorded */
    PyObject *kept;      /* what that belongs to, so that nothing else gets its place in memory; or a weak reference to it */
};

#define ENTRIES_MAX (1u << 17) /* half of them are used: who makes functions without end has most of them under one name */
#define TEXT_MAX 512

static struct {
    struct builtin *entry; /* [room], a power of two; by hash of both */
    uint32_t room, count;
    uint32_t others; /* the site of those for which there is no room */
} b;

static const PyMethodDef *new_def; /* of each __new__ of a type in C */
static struct {
    PyObject *call, *name, *qualname, *module; /* "__call__" and so on */
    PyTypeObject *wrapper;                     /* of object().__str__; NULL: nothing of this has been made */
} known;

/* ---- what is called ---- */

static inline const PyMethodDef *def_of(PyObject *callable)
{
    if (Py_IS_TYPE(callable, &PyMethodDescr_Type))
        return ((PyMethodDescrObject *)callable)->d_method;
    if (Py_IS_TYPE(callable, &PyCFunction_Type) || Py_IS_TYPE(callable, &PyCMethod_Type))
        return ((PyCFunctionObject *)callable)->m_ml;
    return NULL;
}

static bool make_known(void)
{
    if (known.wrapper)
        return true;
    PyObject *wrapper = PyObject_GetAttrString(Py_None, "__str__");
    known.call = PyUnicode_InternFromString("__call__");
    known.name = PyUnicode_InternFromString("__name__");
    known.qualname = PyUnicode_InternFromString("__qualname__");
    known.module = PyUnicode_InternFromString("__module__");
    if (wrapper && known.call && known.name && known.qualname && known.module)
        known.wrapper = Py_TYPE(wrapper);
    Py_XDECREF(wrapper);
    PyErr_Clear();
    return known.wrapper;
}

static bool is_in_c(const PyObject *descriptor)
{
    return descriptor && (Py_IS_TYPE(descriptor, &PyGetSetDescr_Type) || Py_IS_TYPE(descriptor, &PyMemberDescr_Type));
}

/* Types have a name, too, and so have the special methods of types in C: they are not meant. */
static bool is_left_out(PyObject *callable)
{
    const PyTypeObject *type = Py_TYPE(callable);
    return type == &PyFunction_Type || PyType_Check(callable) || type == &PyWrapperDescr_Type || type == &PyClassMethodDescr_Type ||
           !make_known() || type == known.wrapper;
}

/* Is it a function by its type's account, though of none of the interpreter's types: called in C, and with a name? */
static bool is_function_of_its_own(PyObject *callable)
{
    if (is_left_out(callable) || !is_in_c(_PyType_Lookup(Py_TYPE(callable), known.name)))
        return false;
    PyObject *call = _PyType_Lookup(Py_TYPE(callable), known.call);
    return call && Py_IS_TYPE(call, &PyWrapperDescr_Type);
}

/* NULL: not a C function. */
static inline const void *made_of(PyObject *callable)
{
    const PyMethodDef *def = def_of(callable);
    return def ? (const void *)def : is_function_of_its_own(callable) ? callable : NULL;
}

/* What a bound method calls; the interpreter names the one when the call begins, and mostly the other when it ends. */
static inline PyObject *function_of(PyObject *callable)
{
    return Py_IS_TYPE(callable, &PyMethod_Type) ? PyMethod_GET_FUNCTION(callable) : callable;
}

static PyObject *self_of(PyObject *callable)
{
    return Py_IS_TYPE(callable, &PyMethodDescr_Type) ? NULL : ((PyCFunctionObject *)callable)->m_self;
}

static inline PyTypeObject *type_of_new(PyObject *callable, const void *of)
{
    if (__builtin_expect(of != new_def, 1))
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

/* What it says of itself, as far as no code of the program runs for it: a new reference, or NULL. */
static PyObject *said_of_itself(PyObject *callable, PyObject *name)
{
    PyObject *descriptor = _PyType_Lookup(Py_TYPE(callable), name);
    bool harmless = !descriptor || is_in_c(descriptor) || PyUnicode_CheckExact(descriptor);
    PyObject *said = harmless ? PyObject_GenericGetAttr(callable, name) : NULL;
    if (!said)
        PyErr_Clear();
    return said;
}

/* One without a module is of its type's. */
static void name_function_of_its_own(struct names *n, PyObject *callable)
{
    PyObject *module = said_of_itself(callable, known.module), *said = said_of_itself(callable, known.qualname);
    const char *type, *name = text_of(said);
    if (!name) {
        Py_XDECREF(said);
        said = said_of_itself(callable, known.name);
        name = text_of(said);
    }
    name_type(Py_TYPE(callable), n->module, &type);
    if (!text_of(module))
        Py_XSETREF(module, PyUnicode_FromString(n->module));
    name_function(n, module, name ? name : type);
    Py_XDECREF(module);
    Py_XDECREF(said);
}

/* They may be made without end and hold a lot: where they can be referred to weakly, they may go. A new reference. */
static PyObject *keep_function_of_its_own(PyObject *callable)
{
    PyObject *weak = PyType_SUPPORTS_WEAKREFS(Py_TYPE(callable)) ? PyWeakref_NewRef(callable, NULL) : NULL;
    PyErr_Clear();
    return weak ? weak : Py_NewRef(callable);
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

static size_t place_of(const void *of, const PyTypeObject *type)
{
    uint64_t hash = ((uintptr_t)of ^ (uintptr_t)type << 1) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) & (b.room - 1);
}

static struct builtin *find(const void *of, const PyTypeObject *type)
{
    size_t i = place_of(of, type);
    while (b.entry[i].made_of && (b.entry[i].made_of != of || b.entry[i].type != type))
        i = (i + 1) & (b.room - 1);
    return &b.entry[i];
}

/* What it was kept for has gone: something else may be in its place. */
static inline bool is_gone(const struct builtin *e) { return PyWeakref_Check(e->kept) && python_weakref_is_dead(e->kept); }

/* Those that have gone make room; else there are twice as many. */
static bool make_room(void)
{
    uint32_t alive = 0, old_room = b.room;
    struct builtin *old = b.entry;
    for (uint32_t i = 0; i < old_room; i++)
        alive += old[i].made_of && !is_gone(&old[i]);
    uint32_t room = !old_room ? 256 : 4 * alive < old_room ? old_room : 2 * old_room;
    struct builtin *more = room <= ENTRIES_MAX ? calloc(room, sizeof *more) : NULL;
    if (!more)
        return false;
    b.entry = more;
    b.room = room;
    b.count = alive;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].made_of && !is_gone(&old[i]))
            *find(old[i].made_of, old[i].type) = old[i];
        else if (old[i].made_of)
            Py_DECREF(old[i].kept); /* a weak reference without a callback: runs nothing */
    free(old);
    return true;
}

static uint32_t intern(const char *name, const char *qualname, const char *module)
{
    struct site site = {.name = name, .qualname = qualname, .module = module, .file = "", .kind = SITE_BUILTIN};
    return sites_intern(recorder_sites(), &site);
}

static uint32_t site_of_others(void)
{
    if (b.others)
        return b.others;
    b.others = intern("(other C functions)", "(other C functions)", "");
    membership_add_site(selection_with_builtins(), b.others);
    return b.others;
}

static uint32_t decide(PyObject *callable, const void *of, PyTypeObject *type)
{
    struct names n;
    PyObject *kept;
    if (of == callable) {
        name_function_of_its_own(&n, callable);
        kept = keep_function_of_its_own(callable);
    } else {
        kept = Py_NewRef(name_callable(&n, callable, of));
    }
    struct builtin *e = find(of, type);
    if (e->made_of)
        Py_DECREF(e->kept);
    else
        b.count++;
    member_set wanted = selection_wants_builtin(n.module, n.qualname);
    uint32_t site = wanted ? intern(n.whole, n.qualname, n.module) : 0;
    membership_add_site(wanted, site);
    *e = (struct builtin){.made_of = of, .type = type, .site = site, .kept = kept};
    return site;
}

static __attribute__((noinline)) uint32_t new_site(PyObject *callable, const void *of, PyTypeObject *type)
{
    PyObject *exception_type, *value, *traceback;
    if (!recorder_available())
        return 0;
    if (!new_def) {
        PyObject *f = PyObject_GetAttrString((PyObject *)&PyBaseObject_Type, "__new__");
        new_def = f ? def_of(f) : NULL;
        Py_XDECREF(f);
        type = type_of_new(callable, of);
    }
    if (2 * b.count >= b.room && !make_room())
        return site_of_others();
    PyErr_Fetch(&exception_type, &value, &traceback); /* of what was raised */
    uint32_t site = decide(callable, of, type);
    PyErr_Restore(exception_type, value, traceback);
    return site;
}

static inline uint32_t site_of(PyObject *callable, const void *of)
{
    PyTypeObject *type = type_of_new(callable, of);
    const struct builtin *e = b.room ? find(of, type) : NULL;
    return e && e->made_of && !(of == callable && is_gone(e)) ? e->site : new_site(callable, of, type);
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

static inline void call_begins(const void *of, uint32_t site)
{
    struct thread *t = site ? thread_now() : NULL;
    if (t && scope_wants(t, python_current_frame(python_this_thread())))
        calls_block_enter(t, of, site, 0);
}

/* A front end's call of this extension, by which it hushes the thread. */
static bool is_own(PyObject *callable)
{
    PyObject *module = PyCFunction_Check(callable) ? ((PyCFunctionObject *)callable)->m_module : NULL;
    return module && PyUnicode_Check(module) && PyUnicode_CompareWithASCIIString(module, FUNCTIONS_OWN_MODULE) == 0;
}

/* Not everybody records, or calls have labels. */
static __attribute__((noinline)) bool begins_odd(PyObject *callable, const void *of)
{
    if (scope_nobody_here()) {
        linger_count();
        return true;
    }
    uint32_t site = site_of(callable, of);
    if (!(site ? labels_site(NULL, &site) : is_own(callable) || labels_note()))
        return false;
    call_begins(of, site);
    return true;
}

bool builtins_begin(PyObject *called)
{
    PyObject *callable = function_of(called);
    const void *of = made_of(callable);
    if (!of || !demand_on || demand_is_of_parent())
        return true;
    if (__builtin_expect(demand_everyone != DEMAND_ALL, 0))
        return begins_odd(callable, of);
    call_begins(of, site_of(callable, of));
    return true;
}

void builtins_end(PyObject *called, bool raised)
{
    PyObject *callable = function_of(called);
    const void *of = made_of(callable);
    if (!of || !demand_on || demand_is_of_parent() || !thread_here || !site_of(callable, of))
        return;
    struct thread *t = thread_now();
    if (t && t->hosts.count) /* its collector may have to be brought back */
        scope_resolve(t, python_current_frame(python_this_thread()));
    if (t)
        calls_block_exit(t, of, raised);
}
