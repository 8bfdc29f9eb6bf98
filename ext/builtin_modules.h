/* Modules of the interpreter itself, got without its import system, which may ask finders of the program, warn, or run what
 * stands for __import__. */
#ifndef TSCAP_BUILTIN_MODULES_H
#define TSCAP_BUILTIN_MODULES_H

#include "python.h"

/* Those that each interpreter has loaded before any program begins: posix, _imp ... Borrowed; NULL: taken away, no exception. */
PyObject *builtin_module_loaded(const char *name);

/* One that may not be loaded; sys.modules does not get it, but for `atexit` of 3.9, whose second one would replace the first.
 * A new reference, or NULL with an exception. */
PyObject *builtin_module(const char *name);

#endif
