/* The Python functions of another process, found from its modules: their functions and classes, what these wrap or have in their
 * closures, and the functions that are made within them. CPython 3.9 to 3.13.
 *
 * They are read while it runs; what is read changes meanwhile or lies: all is bounded, and nothing is taken for more than its type says
 * it is. Reading is separate from where the memory comes from, for tests. */
#ifndef TSCAP_PYTHON_FUNCTIONS_H
#define TSCAP_PYTHON_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "python_frames.h"

struct python_scope { /* a module's names */
    uint64_t address;
    char *module, *file; /* printable; "" */
};

struct python_function {
    size_t scope;
    char *qualname, *file; /* printable */
    int line;
};

struct python_functions {
    struct python_scope *scope;
    struct python_function *function;
    size_t scopes, count;
    bool complete; /* false: not all could be read, or there are more than anybody reads */
};

/* Where its code comes from, as attaching sees it: code that was made by exec() belongs to its module's file. */
const char *python_function_origin(const struct python_functions *f, size_t i);

/* The folder of the standard library, with a slash at its end; to be freed. NULL: not known, or no memory. */
char *python_functions_library(const struct python_functions *f);

/* As python_frames_read(); -EPROTONOSUPPORT also of a free-threaded build. */
int python_functions_read(struct python_functions *f, const struct python_memory *m, uint64_t runtime, uint32_t version);
void python_functions_free(struct python_functions *f);

/* The same of a process, as stacks_read(). */
int python_functions_of(struct python_functions *f, pid_t pid, uint32_t *version);

#endif
