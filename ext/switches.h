/* The switches of Profilers' tracks, as another terminal sets them: the profilers themselves do it, which are Python. The interpreter's
 * lock is held in all of these. */
#ifndef TSCAP_SWITCHES_H
#define TSCAP_SWITCHES_H

#include "python.h"

#include "track_orders.h"

/* Who obeys from now on: called with a list of (profiler's number, row of the track, on). Borrows; of the module's functions. */
PyObject *switches_obeyed_by(PyObject *module, PyObject *obey);
extern const char switches_doc[];

int switches_set(const struct track_orders *orders); /* 0, or -1 with an exception */

#endif
