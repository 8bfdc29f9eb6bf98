/* The qualified names of code objects in 3.9 and 3.10, where they do not say them themselves. */
#ifndef TSCAP_CODE_NAMES_H
#define TSCAP_CODE_NAMES_H

#include "python.h"

#if !PYTHON_311_AND_LATER

#include <stdbool.h>

/* The name with which `maker` makes functions of this code: one of its constants. Borrowed; NULL: it makes none. */
PyObject *code_names_made(const PyCodeObject *maker, const PyCodeObject *code);

/* Does the function still have the name that its code was compiled with, as far as one can see? */
bool code_names_own(PyFunctionObject *function);

/* Of any code that some function runs or makes. Borrowed; NULL: not found, or not looked for any more because that took too long
 * already. No code of the program runs. */
PyObject *code_names_find(const PyCodeObject *code);

int code_names_prepare(void); /* 0, or -1 with an exception */
void code_names_forget(void); /* what was kept for code_names_find() */

#endif
#endif
