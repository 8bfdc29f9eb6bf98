/* Tables: all calls that a consumer sees, thread by thread, as packed numbers. For front ends that read ten thousand functions at a
 * time: making objects of them is left to who wants the objects, so that the interpreter's lock is held for moments only. */
#ifndef TSCAP_TABLES_H
#define TSCAP_TABLES_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

/* A tuple (_core.pyi, _Tables). `known`: a bit a site, the lowest first, of those whose names are not wanted. NULL with an exception. */
PyObject *tables_take(uint32_t consumer, const Py_buffer *known, bool pairs);

#endif
