/* A collector: records what the frame that entered it calls, on its thread, until it is left, and adds it up.
 *
 * To the recorder it is a block that also is a consumer: while no session runs, only what a collector encloses is
 * recorded (recorder_in_scope). To tscap it is a node of the call tree. When it is left, its part of its own thread's tree
 * is read, in this thread, and added to its sums: what was there under the same path before is subtracted. */
#ifndef TSCAP_COLLECTOR_H
#define TSCAP_COLLECTOR_H

#include "python.h"

int collector_add_type(PyObject *module); /* 0, or -1 with an exception */

#endif
