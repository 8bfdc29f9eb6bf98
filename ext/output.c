#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_file.h"
#include "cputime.h"
#include "export.h"

/* ---- a capture ---- */

struct saved {
    int fd, error; /* error: of writing, -errno */
};

static int write_capture(int fd, const struct recording *r)
{
    struct capture_writer *w;
    int error = capture_writer_open(&w, fd, NULL, false);
    if (error == 0)
        error = capture_writer_look(w, r);
    if (error == 0)
        error = capture_writer_finish(w);
    capture_writer_free(w);
    return error;
}

static int save(void *context, const struct recording *r)
{
    struct saved *s = context;
    s->error = write_capture(s->fd, r);
    return 0;
}

/* What write(2) says is an OSError, with its number. */
static PyObject *raise_errno(int error)
{
    if (error == -ENOMEM)
        return PyErr_NoMemory();
    errno = -error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *output_save(int fd, output_source *source, const void *from)
{
    struct saved s = {.fd = fd};
    if (source(from, save, &s) < 0)
        return NULL;
    return s.error ? raise_errno(s.error) : Py_NewRef(Py_None);
}

/* ---- other programs' formats ---- */

enum { NONE = 0, TIMES = 1 << EXPORT_WALL | 1 << EXPORT_CPU, ALL = TIMES | 1 << EXPORT_CALLS };

/* Those of cli/view/format.c that are made of a profile alone; a test compares. */
static const struct output_format {
    const char *name;
    export_writer *write;
    unsigned metrics; /* that one can choose; NONE: it has them all */
    bool inverts;
} formats[] = {
    {"csv", export_csv, NONE, false},
    {"folded", export_folded, ALL, false},
    {"speedscope", export_speedscope, ALL, false},
    {"pstats", export_pstats, TIMES, false},
    {"callgrind", export_callgrind, NONE, false},
    {"pprof", export_pprof_plain, ALL, false}, /* who calls compresses it */
    {"svg", export_svg, ALL, true},
};
#define FORMATS (sizeof formats / sizeof *formats)

static const struct output_format *find_format(const char *name)
{
    char names[128] = "";
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", formats[i].name);
    }
    PyErr_Format(PyExc_ValueError, "\"%.100s\" is no format: choose one of %s", name, names);
    return NULL;
}

static bool has_metric(const struct output_format *f, const char *name, enum export_metric *metric)
{
    bool known = export_metric_named(name, metric);
    if (known && (f->metrics >> *metric & 1 || (f->metrics == NONE && *metric == EXPORT_WALL)))
        return true;
    if (f->metrics == NONE)
        PyErr_Format(PyExc_ValueError, "%s has all metrics: leave metric out", f->name);
    else
        PyErr_Format(PyExc_ValueError, "metric of %s must be %s, not \"%.100s\"", f->name,
                     f->metrics == ALL ? "\"wall\", \"cpu\" or \"calls\"" : "\"wall\" or \"cpu\"", name);
    return false;
}

static bool may_invert(const struct output_format *f)
{
    if (!f->inverts)
        PyErr_Format(PyExc_ValueError, "%s cannot be inverted: svg can", f->name);
    return f->inverts;
}

struct conversion {
    const struct output_format *format;
    enum export_metric metric;
    bool invert, lacks_cpu;
    char *text;
    size_t bytes;
};

static int convert(void *context, const struct recording *r)
{
    struct conversion *c = context;
    c->lacks_cpu = c->metric == EXPORT_CPU && r->cpu_mode == CPUTIME_WALL;
    if (c->lacks_cpu)
        return 0;
    FILE *out = open_memstream(&c->text, &c->bytes);
    if (!out)
        return -ENOMEM;
    bool whole = export_recording(c->format->write, r, c->metric, c->invert, out);
    whole &= !ferror(out);
    return fclose(out) == 0 && whole ? 0 : -ENOMEM;
}

static PyObject *text_of(const struct conversion *c)
{
    if (c->lacks_cpu) {
        PyErr_SetString(PyExc_RuntimeError, "no CPU time was measured (TSCAP_CPU; collectors measure none): choose metric=\"wall\"");
        return NULL;
    }
    return PyBytes_FromStringAndSize(c->text, (Py_ssize_t)c->bytes);
}

PyObject *output_convert(const struct output_form *form, output_source *source, const void *from)
{
    struct conversion c = {.format = find_format(form->format), .invert = form->invert};
    if (!c.format || !has_metric(c.format, form->metric, &c.metric) || (c.invert && !may_invert(c.format)))
        return NULL;
    PyObject *made = source(from, convert, &c) < 0 ? NULL : text_of(&c);
    free(c.text);
    return made;
}
