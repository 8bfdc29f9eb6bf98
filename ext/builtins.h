/* C functions that `tscap attach --builtins` asked for: functions and methods of built-in and extension modules, as Python
 * code calls them. A call of one is like a block: it ends by itself, or with the frame around it. */
#ifndef TSCAP_BUILTINS_H
#define TSCAP_BUILTINS_H

#include "python.h"

#include <stdbool.h>

/* Such a function is called; it returns, or raises. The interpreter's lock is held. No code of the program, but for labels: false, with
 * an exception, when they raise one that is for the program (labels.h); else no exception. */
bool builtins_begin(PyObject *callable);
void builtins_end(PyObject *callable, bool raised);

/* Rules or the segment have changed: what was decided by those before is forgotten. */
void builtins_forget(void);

#endif
