/* A collector: records what the frame that entered it calls, until it is left, and adds it up in a ledger of its own.
 *
 * To the recorder it is a consumer: while no session runs, only what a collector encloses is recorded (scope.h). To tscap
 * it is a node of the call tree, like a block. One that was never entered records as well, for frames that hold it in a local
 * variable named _timestamp_collector_; it has no node. */
#ifndef TSCAP_COLLECTOR_H
#define TSCAP_COLLECTOR_H

#include "python.h"

struct ledger;
struct thread;

/* Of a collector that waits to be found in a variable, or was entered on this thread; else, and for any other object, NULL. */
struct ledger *collector_ledger(PyObject *object, const struct thread *t);

/* The nearest collector that a frame on the stack has entered, a new reference, and how many frames that one is away from
 * `levels` Python frames outwards. NULL: none, or an exception. */
PyObject *collector_nearest(int levels, PyObject **distance);

int collector_add_type(PyObject *module); /* 0, or -1 with an exception */

#endif
