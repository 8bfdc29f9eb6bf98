/* A consumer as an object of Python: what the front ends' profilers are made of. Private: _core._Consumer. */
#ifndef TSCAP_CONSUMER_H
#define TSCAP_CONSUMER_H

#include "python.h"

int consumer_add_type(PyObject *module); /* 0, or -1 with an exception */

#endif
