/* Recordings handed out by this process: written as a capture file, or converted for other programs. */
#ifndef TSCAP_OUTPUT_H
#define TSCAP_OUTPUT_H

#include "python.h"

#include "recording.h"

/* Makes a recording of what `from` says and calls use(context, recording) once, without the interpreter's lock. 0, or -1 with an
 * exception, for which `use` returns a negative errno. */
typedef int output_use(void *context, const struct recording *r);
typedef int output_source(const void *from, output_use *use, void *context);

/* A capture, uncompressed, to the descriptor `fd`: None, or NULL with an exception: OSError, RuntimeError, MemoryError. */
PyObject *output_save(int fd, output_source *source, const void *from);

/* The bytes of a file in that format (a name of `tscap convert`), by metric: "wall", "cpu", "calls". ValueError: the format is
 * none, or has not that metric, or cannot be inverted. */
struct output_form {
    const char *format, *metric;
    int invert;
};
PyObject *output_convert(const struct output_form *form, output_source *source, const void *from);

#endif
