/* The list of Python processes: ps --python. */
#ifndef TSCAP_PYTHON_LIST_H
#define TSCAP_PYTHON_LIST_H

#include <stdbool.h>
#include <stdio.h>

#include "pythons.h"

/* False: no memory, it is not whole. */
bool python_list_print(const struct pythons *p);
bool python_list_json(const struct pythons *p, FILE *out); /* tscap.pythons.schema.json */

#endif
