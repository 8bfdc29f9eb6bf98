#include "stat_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <time.h>

/* As tables.c packs them. */
struct row {
    uint64_t site, lane, calls, primitive_calls;
    uint64_t time[4]; /* inclusive and exclusive; the same on the CPU */
};

#define NS_PER_S 1e9
#define REST_NS 50000 /* enough for another thread to be woken and take the lock: one that is free for less is missed */

/* Thousands of rows are made in pieces; between two of them whoever waits for the interpreter's lock gets it. */
PyObject *stat_rows_rest(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static bool take_rows(const Py_buffer *buffer, const struct row **row, size_t *rows)
{
    *row = buffer->buf;
    *rows = (size_t)buffer->len / sizeof **row;
    if ((size_t)buffer->len % sizeof **row == 0 && (uintptr_t)buffer->buf % _Alignof(struct row) == 0)
        return true;
    PyErr_SetString(PyExc_ValueError, "these are no packed rows");
    return false;
}

/* ---- sums ---- */

struct sums {
    struct row *row;
    size_t rows;
    uint32_t *of; /* by site, from 1 on; 0: it has none yet */
    uint64_t sites;
};

static int make_sums(struct sums *s, const struct row *row, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        s->sites = row[i].site >= s->sites ? row[i].site + 1 : s->sites;
    if (s->sites > UINT32_MAX)
        return -EINVAL;
    s->row = malloc((rows + 1) * sizeof *s->row);
    s->of = calloc(s->sites + 1, sizeof *s->of);
    return s->row && s->of ? 0 : -ENOMEM;
}

static void add_row(struct sums *s, const struct row *row)
{
    uint32_t *of = &s->of[row->site];
    if (*of == 0) {
        s->row[s->rows] = *row;
        *of = (uint32_t)++s->rows;
        return;
    }
    struct row *sum = &s->row[*of - 1];
    sum->calls += row->calls;
    sum->primitive_calls += row->primitive_calls;
    for (size_t i = 0; i < sizeof sum->time / sizeof *sum->time; i++)
        sum->time[i] += row->time[i];
}

/* Of those lanes whose byte is set. Without the interpreter's lock. */
static int add_up(struct sums *s, const struct row *row, size_t rows, const Py_buffer *lanes)
{
    const char *wanted = lanes->buf;
    int error = make_sums(s, row, rows);
    for (size_t i = 0; i < rows && error == 0; i++)
        if (row[i].lane < (uint64_t)lanes->len && wanted[row[i].lane])
            add_row(s, &row[i]);
    return error;
}

static PyObject *sums_of(const struct row *row, size_t rows, const Py_buffer *lanes)
{
    int error;
    struct sums s = {.row = NULL};
    Py_BEGIN_ALLOW_THREADS
    error = add_up(&s, row, rows, lanes);
    Py_END_ALLOW_THREADS
    PyObject *made = error == 0 ? PyBytes_FromStringAndSize((const char *)s.row, (Py_ssize_t)(s.rows * sizeof *s.row)) : NULL;
    free(s.row);
    free(s.of);
    if (error == -ENOMEM)
        PyErr_NoMemory();
    else if (error < 0)
        PyErr_SetString(PyExc_ValueError, "these are no packed rows");
    return made;
}

PyObject *stat_rows_add_up(PyObject *module, PyObject *args)
{
    Py_buffer packed, lanes;
    const struct row *row;
    size_t rows;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*:_add_up", &packed, &lanes))
        return NULL;
    PyObject *made = take_rows(&packed, &row, &rows) ? sums_of(row, rows, &lanes) : NULL;
    PyBuffer_Release(&lanes);
    PyBuffer_Release(&packed);
    return made;
}

/* ---- objects ---- */

/* The slots of a statistic: what its row says, what its thread is called, what its function is called. */
enum slot { SITE, NCALL, NACTUALCALL, TTOT, TSUB, TAVG, CHILDREN, CTX_ID, CTX_NAME, TAG, NAME, MODULE, LINENO, BUILTIN, FULL_NAME, INDEX, SLOTS };
enum { CONTEXT_SLOTS = NAME - CTX_ID, FUNCTION_SLOTS = SLOTS - NAME };
static const char *const slot_name[SLOTS] = {
    [SITE] = "_site", [NCALL] = "ncall", [NACTUALCALL] = "nactualcall", [TTOT] = "ttot", [TSUB] = "tsub", [TAVG] = "tavg",
    [CHILDREN] = "_children", [CTX_ID] = "ctx_id", [CTX_NAME] = "ctx_name", [TAG] = "tag", [NAME] = "name", [MODULE] = "module",
    [LINENO] = "lineno", [BUILTIN] = "builtin", [FULL_NAME] = "full_name", [INDEX] = "index",
};

struct maker {
    PyTypeObject *type;
    PyObject *slot[SLOTS];        /* descriptors of the type */
    PyObject *functions, *contexts; /* tuples by site, by lane; borrowed, as all before but the descriptors */
    PyObject *children;
    bool cpu;
};

static bool find_slots(struct maker *m)
{
    for (int i = 0; i < SLOTS; i++) {
        m->slot[i] = PyObject_GetAttrString((PyObject *)m->type, slot_name[i]);
        if (!m->slot[i])
            return false;
        if (!Py_IS_TYPE(m->slot[i], &PyMemberDescr_Type) || !PyType_IsSubtype(m->type, ((PyMemberDescrObject *)m->slot[i])->d_common.d_type)) {
            PyErr_Format(PyExc_TypeError, "%s of a statistic must be a slot", slot_name[i]);
            return false;
        }
    }
    return true;
}

static bool set(const struct maker *m, PyObject *stat, int slot, PyObject *value)
{
    return value && PyMember_SetOne((char *)stat, ((PyMemberDescrObject *)m->slot[slot])->d_member, value) == 0;
}

/* Takes over the value. */
static bool give(const struct maker *m, PyObject *stat, enum slot slot, PyObject *value)
{
    bool done = set(m, stat, (int)slot, value);
    Py_XDECREF(value);
    return done;
}

static bool spread(const struct maker *m, PyObject *stat, int first, int slots, PyObject *tuple)
{
    bool done = tuple && PyTuple_Check(tuple) && PyTuple_GET_SIZE(tuple) == slots;
    for (int i = 0; i < slots && done; i++)
        done = set(m, stat, first + i, PyTuple_GET_ITEM(tuple, i));
    if (!done && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "a row of a function or of a thread that nobody knows");
    return done;
}

/* Borrowed; NULL without an exception: there is none. */
static PyObject *known(PyObject *dict, uint64_t number)
{
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    PyObject *found = key ? PyDict_GetItemWithError(dict, key) : NULL;
    Py_XDECREF(key);
    return found;
}

static bool fill(const struct maker *m, PyObject *stat, const struct row *row, PyObject *context)
{
    double ttot = (double)row->time[m->cpu ? 2 : 0] / NS_PER_S, tsub = (double)row->time[m->cpu ? 3 : 1] / NS_PER_S;
    return give(m, stat, SITE, PyLong_FromUnsignedLongLong(row->site)) && give(m, stat, NCALL, PyLong_FromUnsignedLongLong(row->calls)) &&
           give(m, stat, NACTUALCALL, PyLong_FromUnsignedLongLong(row->primitive_calls)) && give(m, stat, TTOT, PyFloat_FromDouble(ttot)) &&
           give(m, stat, TSUB, PyFloat_FromDouble(tsub)) &&
           give(m, stat, TAVG, PyFloat_FromDouble(row->calls ? ttot / (double)row->calls : 0)) && set(m, stat, CHILDREN, m->children) &&
           spread(m, stat, CTX_ID, CONTEXT_SLOTS, context) && spread(m, stat, NAME, FUNCTION_SLOTS, known(m->functions, row->site));
}

static bool append_stat(const struct maker *m, PyObject *list, const struct row *row)
{
    PyObject *context = known(m->contexts, row->lane);
    if (!context)
        return !PyErr_Occurred();
    Py_INCREF(context); /* a collection of garbage may run anything */
    PyObject *stat = m->type->tp_alloc(m->type, 0);
    bool done = stat && fill(m, stat, row, context) && PyList_Append(list, stat) == 0;
    if (done && PyObject_GC_IsTracked(stat))
        PyObject_GC_UnTrack(stat); /* nothing in it leads back to it, and thousands at once would start a collection of all there is */
    Py_XDECREF(stat);
    Py_DECREF(context);
    return done;
}

static PyObject *make_stats(struct maker *m, const struct row *row, size_t rows)
{
    PyObject *list = find_slots(m) ? PyList_New(0) : NULL;
    for (size_t i = 0; i < rows && list; i++)
        if (!append_stat(m, list, &row[i]))
            Py_CLEAR(list);
    for (int i = 0; i < SLOTS; i++)
        Py_XDECREF(m->slot[i]);
    return list;
}

PyObject *stat_rows_make(PyObject *module, PyObject *args)
{
    struct maker m = {.type = NULL};
    Py_buffer packed;
    const struct row *row;
    size_t rows;
    int cpu;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!Opy*:_stats", &PyType_Type, &m.type, &PyDict_Type, &m.functions, &PyDict_Type, &m.contexts, &m.children, &cpu,
                          &packed))
        return NULL;
    m.cpu = cpu;
    PyObject *made = take_rows(&packed, &row, &rows) ? make_stats(&m, row, rows) : NULL;
    PyBuffer_Release(&packed);
    return made;
}
