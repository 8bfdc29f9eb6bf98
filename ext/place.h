/* The blocks of a Profiler: `with profiler.block(track, "name"):`. A place is what such a block is called, and where; it has one site,
 * which the profiler selects by its number. Blocks are made of it, one for each time that one is entered. */
#ifndef TSCAP_PLACE_H
#define TSCAP_PLACE_H

#include "python.h"

void place_forget_sites(void);         /* another segment */
int place_add_types(PyObject *module); /* 0, or -1 with an exception */
void place_tell(unsigned member);      /* it is told of the sites of all places that have one */

#endif
