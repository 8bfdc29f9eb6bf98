/* The qualified name of running code. Since 3.11 the code object says it; before, it has to be found. */
#ifndef TSCAP_QUALNAME_H
#define TSCAP_QUALNAME_H

#include "python.h"

/* Imports what qualname_of() needs, which is called where functions begin: an import there would call functions. 0, or -1 with
 * an exception. */
int qualname_prepare(void);

PyObject *qualname_of(PyCodeObject *code, const python_frame *frame); /* a new reference; NULL: no memory, no exception */

#endif
