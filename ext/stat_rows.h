/* Packed rows of functions (tables.h), added up over threads, and the objects that are made of them: a statistic a row. */
#ifndef TSCAP_STAT_ROWS_H
#define TSCAP_STAT_ROWS_H

#include "python.h"

/* _core._add_up(), _core._stats(), _core._rest(): see _core.pyi. NULL with an exception. */
PyObject *stat_rows_add_up(PyObject *module, PyObject *args);
PyObject *stat_rows_make(PyObject *module, PyObject *args);
PyObject *stat_rows_rest(PyObject *module, PyObject *none);

#endif
