#include "unmarked.h"

#include <stdbool.h>
#include <string.h>

#include "process.h"
#include "recorder.h"

static struct {
    uint32_t count, used;
    char names[SEGMENT_UNMARKED_NAMES]; /* one a line */
} u;

/* For readers. The end of the text moves last. */
static void publish_names(uint32_t from)
{
    char *names = recorder_segment()->header->unmarked_names;
    memcpy(names + from, u.names + from, u.used - from);
}

void unmarked_publish(void)
{
    publish_names(0);
    atomic_store_explicit(&recorder_segment()->header->unmarked, u.count, memory_order_relaxed);
}

static bool is_named(const char *name, size_t length)
{
    for (const char *line = u.names; *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, name, length) == 0 && line[length] == '\n')
            return true;
    return false;
}

/* Whole names only. */
static void add_name(const char *name)
{
    char printable[200];
    size_t length = strlen(name);
    if (!length || length >= sizeof printable)
        return;
    memcpy(printable, name, length + 1);
    process_printable(printable);
    length = strlen(printable);
    if (u.used + length + 2 > sizeof u.names || is_named(printable, length))
        return;
    memcpy(u.names + u.used, printable, length);
    u.names[u.used + length] = '\n';
    u.used += (uint32_t)length + 1;
}

void unmarked_add(PyObject *name)
{
    PyObject *type, *value, *traceback;
    uint32_t used = u.used;
    if (!PYTHON_HAS_LOCK)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    PyErr_Restore(type, value, traceback); /* in the place of one about the text */
    u.count += u.count < UINT32_MAX;
    if (text)
        add_name(text);
    if (!recorder_available())
        return;
    publish_names(used);
    atomic_store_explicit(&recorder_segment()->header->unmarked, u.count, memory_order_relaxed);
}

uint32_t unmarked_count(void) { return u.count; }

PyObject *unmarked_names(void)
{
    PyObject *names = PyList_New(0);
    for (const char *line = u.names; names && *line; line = strchr(line, '\n') + 1) {
        PyObject *name = PyUnicode_FromStringAndSize(line, strchr(line, '\n') - line);
        if (!name || PyList_Append(names, name) < 0)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}
