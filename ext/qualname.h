/* The qualified name of running code, taken from what runs: functions that share it may be called otherwise by now
 * (functools.wraps). Since 3.11 the code object says it; before, it has to be found. Code that was generated for a function
 * alone is called as that function is. */
#ifndef TSCAP_QUALNAME_H
#define TSCAP_QUALNAME_H

#include "python.h"

/* Imports what qualname_of() needs, which is called where functions begin: an import there would call functions. 0, or -1 with
 * an exception. */
int qualname_prepare(void);
void qualname_forget(void); /* what was kept since */

PyObject *qualname_of(PyCodeObject *code, const python_frame *frame); /* a new reference; NULL: no memory, no exception */

#endif
