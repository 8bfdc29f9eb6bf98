#include "functions.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "code_origin.h"
#include "demand.h"
#include "greenlets.h"
#include "qualname.h"
#include "recorder.h"
#include "selection.h"
#include "text.h"

uintptr_t functions_rejected;

uint32_t functions_site(const PyCodeObject *code)
{
    const struct mark *m = marks_of(code);
    return m ? m->site : 0;
}

static struct {
    uint32_t generation; /* of the selections */
    member_set armed_for;   /* all that these want is armed, unless `changed` */
    member_set needed_by;   /* all that is armed is wanted by these, unless `changed`; 0: nobody has looked */
    bool changed;           /* some mark is wanted by others than before, or is new */
    functions_visit *follow; /* of what is armed; NULL: nobody asks */
    int (*settle)(void);     /* after those */
    void *context;
} f;

/* Is `code` one of the constants of `definition`: is the function being defined right here? */
static bool defined_by(const PyCodeObject *code, const PyCodeObject *definition)
{
    if (!definition)
        return false;
    PyObject *constants = definition->co_consts;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++)
        if (PyTuple_GET_ITEM(constants, i) == (PyObject *)code)
            return true;
    return false;
}

/* May the mark go on this very code object? Yes if nobody else can ever run it (the function owns the only reference), or
 * if it is decorated where it is defined: then so is each function that this definition makes. */
static bool may_mark(const PyCodeObject *code, const PyCodeObject *definition)
{
    return Py_REFCNT(code) == 1 || defined_by(code, definition);
}

/* Another code object of the same content for this function alone. Replacing __code__ makes the interpreter forget that it
 * may specialise calls of this function (Objects/funcobject.c, func_version); the copy's own version says the same. */
static int give_own_code(PyFunctionObject *function)
{
    PyObject *replace = PyObject_GetAttrString(function->func_code, "replace");
    PyObject *copy = replace ? PyObject_CallNoArgs(replace) : NULL;
    Py_XDECREF(replace);
    if (!copy)
        return -1;
    int r = PyObject_SetAttrString((PyObject *)function, "__code__", copy);
#if PYTHON_HAS_MONITORING
    if (r == 0)
        function->func_version = ((PyCodeObject *)copy)->co_version;
#endif
    Py_DECREF(copy);
    return r;
}

static bool same_text(PyObject *a, PyObject *b)
{
    return a == b || (a && b && PyUnicode_Check(a) && PyUnicode_Check(b) && PyUnicode_Compare(a, b) == 0);
}

static PyObject *text_attribute(PyFunctionObject *function, const char *attribute)
{
    PyObject *text = PyObject_GetAttrString((PyObject *)function, attribute);
    if (!text || !PyUnicode_Check(text)) {
        PyErr_Clear();
        Py_XDECREF(text);
        text = PyUnicode_FromString("");
    }
    return text;
}

static void note_function(struct mark *m, PyFunctionObject *function)
{
    PyObject *old = m->function;
    m->function = PyWeakref_NewRef((PyObject *)function, NULL);
    if (!m->function)
        PyErr_Clear();
    Py_XDECREF(old);
}

/* Where code comes from: generated code belongs to the module whose names it uses. Borrowed. */
static PyObject *origin_of(const PyCodeObject *code, PyObject *globals)
{
    PyObject *file = globals && code_origin_is_generated(code) ? python_dict_get(globals, "__file__") : NULL;
    return file && PyUnicode_Check(file) ? file : code->co_filename;
}

static member_set who_wants(PyObject *module, PyObject *qualname, PyObject *origin)
{
    PyObject *kept[3];
    if (!selection_any())
        return 0;
    member_set set = selection_wants(text_utf8(module, &kept[0]), text_utf8(qualname, &kept[1]), text_utf8(origin, &kept[2]));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        Py_XDECREF(kept[i]);
    return set;
}

static member_set wanted_by(const struct mark *m)
{
    return m->selected | membership_everything | membership_choosers(m->site) | (m->decorated ? membership_decorated : 0);
}

/* Who wants it sees its site, once it has one. */
static void tell(const struct mark *m) { membership_add_site(wanted_by(m), m->site); }

static void note_decorated(struct mark *m)
{
    marks_note_decorated(m);
    f.changed = true;
    tell(m);
}

static int add_mark(PyFunctionObject *function, PyObject *name, PyObject *qualname)
{
    PyCodeObject *code = (PyCodeObject *)function->func_code;
    int index = marks_add(code, name, qualname, text_attribute(function, "__module__"), origin_of(code, function->func_globals));
    if (index < 0)
        return index;
    struct mark *m = marks_at(index);
    f.changed = true;
    m->selected = who_wants(m->module, m->qualname, m->origin);
    m->own = m->module && PyUnicode_CompareWithASCIIString(m->module, FUNCTIONS_OWN_MODULE) == 0;
    note_function(m, function);
    return index;
}

static uint32_t site_of_mark(const struct mark *m)
{
    PyObject *kept[4];
    struct site site = {
        .name = text_name(m->name, &kept[0]),
        .qualname = text_name(m->qualname, &kept[1]),
        .module = text_name(m->module, &kept[2]),
        .file = text_name(m->code->co_filename, &kept[3]),
        .line = (uint32_t)m->code->co_firstlineno,
        .track = m->track,
        .kind = SITE_FUNCTION,
    };
    if (m->own)
        site.kind = SITE_OWN;
    uint32_t number = sites_intern(recorder_sites(), &site);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        Py_XDECREF(kept[i]);
    return number;
}

static void number(uint32_t index)
{
    struct mark *m = marks_at(index);
    if (m->site)
        return;
    marks_give_site(index, site_of_mark(m));
    tell(m);
}

static int visit(functions_visit *visitor, uint32_t index, void *context)
{
    const struct mark *m = marks_at(index);
    PyObject *function = m->function ? python_weakref_get(m->function) : NULL;
    int r = visitor(m->code, function && PyFunction_Check(function) ? (PyFunctionObject *)function : NULL, context);
    Py_XDECREF(function);
    return r;
}

/* ---- arming: what somebody who runs wants has its site in its slot ---- */

/* Whoever wants all that is marked has no use for what only the rules of somebody mean who does not run now. */
static bool is_wanted_now(const struct mark *m)
{
    member_set of_rules = m->selected & membership_running;
    bool idle = m->selected && !of_rules && !m->decorated && !m->placed && !membership_choosers(m->site);
    return (!idle && wanted_by(m) & membership_running) || m->own;
}

/* False: it was before, nobody wants it, or there is no room for its site, which is counted. */
static bool arm_mark(uint32_t index)
{
    struct mark *m = marks_at(index);
    if (!m->code || m->armed || !is_wanted_now(m))
        return false;
    number(index);
    m = marks_at(index);
    if (!m->site)
        return false;
    membership_note_recorded(m->site);
    marks_arm(index, true);
    f.needed_by = 0;
    return true;
}

static int arm(uint32_t index) { return arm_mark(index) && f.follow ? visit(f.follow, index, f.context) : 0; }

/* What has been armed is settled even if something else could not be, which is what is told. */
static int settle(int r)
{
    PyObject *type, *value, *traceback;
    if (!f.follow || !f.settle)
        return r;
    PyErr_Fetch(&type, &value, &traceback);
    int settled = f.settle();
    if (r < 0)
        PyErr_Restore(type, value, traceback); /* in the place of any other */
    return r < 0 ? r : settled;
}

/* While the hook is armed; not in a child that C code forked, whose records would be its parent's. */
static int arm_if_followed(uint32_t index)
{
    if (!f.follow || demand_is_of_parent())
        return 0;
    greenlets_look();
    return settle(arm(index));
}

static bool is_of_function(const struct mark *m, const PyFunctionObject *function)
{
    PyObject *noted = m->function ? python_weakref_get(m->function) : NULL;
    Py_XDECREF(noted);
    return noted == (const PyObject *)function;
}

/* The mark that it has by this name, or a new one: its index, or -1. What a consumer placed keeps its site, and what was decorated
 * is placed by that: so several may have one function, each under a name of its own. */
static int mark_function(PyFunctionObject *function, PyObject *name, PyObject *qualname, uint32_t track, bool place, PyCodeObject *definition)
{
    struct mark *m = marks_of((PyCodeObject *)function->func_code);
    bool same = m && m->track == track && same_text(m->name, name) && same_text(m->qualname, qualname);
    if (same || (m && (place || m->placed) && is_of_function(m, function))) {
        note_function(m, function);
        return (int)marks_index(m);
    }
    if ((m || !may_mark((PyCodeObject *)function->func_code, definition)) && give_own_code(function) < 0)
        return -1;
    int index = add_mark(function, name, qualname);
    if (index >= 0)
        marks_at(index)->track = track;
    return index;
}

int functions_decorate(PyFunctionObject *function, PyObject *name, PyCodeObject *definition)
{
    PyObject *qualname = text_attribute(function, "__qualname__");
    if (!qualname)
        return -1;
    if (!name || name == Py_None)
        name = qualname;
    int index = mark_function(function, name, qualname, 0, false, definition);
    Py_DECREF(qualname);
    if (index < 0)
        return -1;
    note_decorated(marks_at(index));
    return arm_if_followed((uint32_t)index);
}

int64_t functions_place(PyFunctionObject *function, PyObject *name, uint32_t track, PyCodeObject *definition)
{
    PyObject *qualname = text_attribute(function, "__qualname__");
    int index = qualname ? mark_function(function, name && name != Py_None ? name : qualname, qualname, track, true, definition) : -1;
    Py_XDECREF(qualname);
    if (index < 0)
        return -1;
    marks_at(index)->placed = true;
    number((uint32_t)index);
    return arm_if_followed((uint32_t)index) < 0 ? -1 : (int64_t)marks_at(index)->site;
}

bool functions_are_placed(const PyCodeObject *code)
{
    const struct mark *m = marks_of(code);
    return m && m->placed;
}

/* A function whose __code__ was replaced since (autoreloaders do that) is recorded under its old name and new code. */
static int follow_replaced(uint32_t index)
{
    struct mark *m = marks_at(index);
    PyObject *function = m->code && m->function ? python_weakref_get(m->function) : NULL;
    PyObject *now = function && PyFunction_Check(function) ? ((PyFunctionObject *)function)->func_code : NULL;
    int r = 0;
    if (now && now != (PyObject *)m->code && !marks_of((PyCodeObject *)now)) {
        struct mark old = *m;
        r = add_mark((PyFunctionObject *)function, old.name, old.qualname);
        if (r >= 0) {
            marks_at(r)->track = old.track;
            marks_at(r)->placed = old.placed;
        }
        if (r >= 0 && old.decorated)
            note_decorated(marks_at(r));
    }
    Py_XDECREF(function);
    return r < 0 ? -1 : 0;
}

static int look_for_replaced(void)
{
    uint32_t count = marks_count();
    for (uint32_t i = 0; i < count; i++)
        if (follow_replaced(i) < 0)
            return -1;
    return 0;
}

/* Not while it is armed: its calls may be open. */
static void drop_if_unwanted(uint32_t index)
{
    const struct mark *m = marks_at(index);
    if (m->code && !m->armed && !m->decorated && !m->placed && !m->selected)
        marks_drop(index);
}

/* Without memory, or where a tool of the program forbids it, its events go on and find nobody. */
static void disarm(uint32_t index)
{
    marks_arm(index, false);
    if (f.follow && visit(f.follow, index, f.context) < 0)
        PyErr_Clear();
    drop_if_unwanted(index);
}

/* May a call of it be open? Generators wait where nobody sees them; what other functions run is on the stack of some thread. */
static bool may_be_open(const struct mark *m) { return m->code->co_flags & PYTHON_GENERATOR_FLAGS || m->runs; }

static void look_what_runs(void)
{
    for (uint32_t i = 0; i < marks_count(); i++)
        marks_at(i)->runs = demand_many_stacks; /* of those that do not run now nobody knows */
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Main()); ts; ts = PyThreadState_Next(ts))
        for (const python_frame *frame = python_current_frame(ts); frame; frame = python_caller(frame)) {
            const PyCodeObject *code = python_frame_code(frame);
            struct mark *m = code ? marks_of(code) : NULL;
            if (m)
                m->runs = true;
        }
}

static bool any_to_disarm(void)
{
    for (uint32_t i = 0; i < marks_count(); i++)
        if (marks_at(i)->code && marks_at(i)->armed && !is_wanted_now(marks_at(i)))
            return true;
    return false;
}

/* True: all of them. */
static bool disarm_unwanted(bool recording)
{
    bool done = true;
    if (recording)
        look_what_runs();
    f.armed_for &= membership_running;
    for (uint32_t i = 0; i < marks_count(); i++) {
        const struct mark *m = marks_at(i);
        if (!m->code || !m->armed || is_wanted_now(m))
            continue;
        if (recording && may_be_open(m))
            done = false;
        else
            disarm(i);
    }
    return done;
}

void functions_disarm(void)
{
    if (!f.changed && f.needed_by && !(f.needed_by & ~membership_running))
        return;
    bool done = !any_to_disarm() || disarm_unwanted(demand_consumers() > 0);
    f.needed_by = done ? membership_running : 0;
}

int functions_arm(bool look_again)
{
    if (look_again && look_for_replaced() < 0)
        return -1;
    functions_disarm();
    if (!f.changed && !(membership_running & ~f.armed_for))
        return 0;
    if (f.changed)
        f.armed_for = 0; /* who does not run may want others than before, too */
    f.changed = false;
    int r = 0;
    for (uint32_t i = 0; i < marks_count() && r == 0; i++)
        r = arm(i);
    r = settle(r);
    if (r == 0)
        f.armed_for |= membership_running;
    return r;
}

static int arm_site(uint32_t site)
{
    int r = 0;
    for (uint32_t next = marks_next_of_site(site, 0); next && r == 0; next = marks_next_of_site(site, next))
        r = arm(next - 1);
    return r;
}

int functions_arm_sites(const uint32_t *site, size_t sites)
{
    int r = 0;
    for (size_t i = 0; i < sites && r == 0; i++)
        r = arm_site(site[i]);
    return settle(r);
}

int functions_each(functions_visit *visitor, void *context)
{
    int r = 0;
    for (uint32_t i = 0; i < marks_count() && r == 0; i++)
        if (marks_at(i)->code)
            r = visit(visitor, i, context);
    return r;
}

void functions_follow(functions_visit *visitor, int (*settled)(void), void *context)
{
    f.follow = visitor;
    f.settle = settled;
    f.context = context;
}

/* ---- functions that are selected ---- */

static void begin_generation(void)
{
    f.generation = f.generation < MARKS_GENERATIONS ? f.generation + 1 : 1;
    functions_rejected = selection_any() ? MARKS_REJECTED(f.generation) : 0;
}

void functions_reselect(unsigned member)
{
    for (uint32_t i = 0; i < marks_count(); i++) {
        struct mark *m = marks_at(i);
        m->selected &= ~MEMBER_BIT(member);
        if (m->code && selection_has(member))
            m->selected |= MEMBER_BIT(member) & who_wants(m->module, m->qualname, m->origin);
        drop_if_unwanted(i);
    }
    f.changed = true;
    begin_generation();
}

void functions_tell(unsigned member)
{
    for (uint32_t i = 0; i < marks_count(); i++)
        if (marks_at(i)->code && wanted_by(marks_at(i)) & MEMBER_BIT(member))
            membership_add_site(MEMBER_BIT(member), marks_at(i)->site);
}

void functions_note_choice(void) { f.changed = true; }

size_t functions_wanted_by(unsigned member, uint32_t *site)
{
    size_t count = 0;
    for (uint32_t i = 0; i < marks_count(); i++)
        if (marks_at(i)->code && marks_at(i)->site && wanted_by(marks_at(i)) & MEMBER_BIT(member))
            site[count++] = marks_at(i)->site;
    return count;
}

/* Bodies of modules and classes are no functions. */
static bool is_function(const PyCodeObject *code) { return (code->co_flags & (CO_OPTIMIZED | CO_NEWLOCALS)) == (CO_OPTIMIZED | CO_NEWLOCALS); }

static bool may_be_wanted(PyObject *module, PyObject *origin)
{
    PyObject *kept[2];
    bool may = selection_may_want(text_utf8(module, &kept[0]), text_utf8(origin, &kept[1]));
    Py_XDECREF(kept[0]);
    Py_XDECREF(kept[1]);
    return may;
}

/* Its mark's index, or -1. */
static int mark_if_selected(PyCodeObject *code, const python_frame *frame)
{
    PyObject *globals = python_frame_globals(frame);
    globals = globals && PyDict_Check(globals) ? globals : NULL;
    PyObject *module = globals ? python_dict_get(globals, "__name__") : NULL, *origin = origin_of(code, globals); /* borrowed */
    PyObject *qualname = is_function(code) && may_be_wanted(module, origin) ? qualname_of(code, frame) : NULL;
    member_set set = qualname ? who_wants(module, qualname, origin) : 0;
    int index = -1;
    if (set) {
        Py_XINCREF(module);
        index = marks_add(code, qualname, qualname, module, origin);
    }
    if (index >= 0)
        marks_at(index)->selected = set;
    Py_XDECREF(qualname);
    return index;
}

static uint32_t armed_site(uint32_t index) { return marks_at(index)->armed ? marks_at(index)->site : 0; }

static uint32_t decide(PyCodeObject *code, const python_frame *frame)
{
    int index = mark_if_selected(code, frame);
    if (index < 0) {
        python_code_set_extra(code, marks_extra, functions_rejected);
        return 0;
    }
    arm_mark((uint32_t)index);
    return armed_site((uint32_t)index);
}

uint32_t functions_decide(PyCodeObject *code, const python_frame *frame)
{
    PyObject *type, *value, *traceback;
    const struct mark *m = marks_of(code);
    if (m)
        return armed_site(marks_index(m)); /* none: nobody who runs wants it, or there was no room for its site */
    if (demand_is_of_parent()) /* sites would be its parent's: what runs before our hook of fork is asked for again */
        return 0;
    PyErr_Fetch(&type, &value, &traceback); /* a generator may be thrown into */
    uint32_t site = decide(code, frame);
    PyErr_Restore(type, value, traceback);
    return site;
}

void functions_forget_sites(void)
{
    marks_forget_sites();
    f.armed_for = f.needed_by = 0;
    f.changed = true;
}
