/* Text of Python as UTF-8, for the segment and for rules. */
#ifndef TSCAP_TEXT_H
#define TSCAP_TEXT_H

#include "python.h"

/* Lone surrogates have no UTF-8; names of files that are no UTF-8 have some, a byte each (os.fsdecode). They are written as
 * Python shows them: \udce9. "" for what is no text. Valid as long as `o` and `*kept`, which is released by Py_XDECREF(). No
 * code of the program runs; no exception is left. */
const char *text_utf8(PyObject *o, PyObject **kept);

/* The same for the site table: whole and unchanged, as utf8.h has names. */
const char *text_name(PyObject *o, PyObject **kept);

/* What text_name() made, as Python's again; a new reference. NULL with an exception. */
PyObject *text_of_name(const char *name);

#endif
