/* Where code, and a function's name, come from. */
#ifndef TSCAP_CODE_ORIGIN_H
#define TSCAP_CODE_ORIGIN_H

#include "python.h"

#include <stdbool.h>

/* Is there no file of this code, as of what exec() runs ("<string>")? */
bool code_origin_is_generated(const PyCodeObject *code);

/* What functools.wraps() has put the function around, and given it the name of; borrowed, NULL: nothing. */
PyObject *code_origin_wrapped(const PyFunctionObject *function);

#endif
