/* A collector: records what the frame that entered it calls, until it is left, and adds it up in a ledger of its own.
 *
 * To the recorder it is a consumer: while no session runs, only what a collector encloses is recorded (scope.h). To tscap
 * it is a node of the call tree, like a block. One that was never entered records as well, for frames that hold it in a local
 * variable named _timestamp_collector_; it has no node. */
#ifndef TSCAP_COLLECTOR_H
#define TSCAP_COLLECTOR_H

#include "python.h"

#include <stdbool.h>

#include "thread.h"

/* When it was made, on all clocks. */
struct origin {
    uint64_t ticks;
    uint64_t perf_counter;
    int64_t realtime;   /* what time.time_ns() was more */
    double ns_per_tick; /* 0: not measured since it was last entered or left */
};

struct collector {
    PyObject_HEAD
    PyObject *name;
    struct ledger *ledger;
    struct stay *stay;   /* the latest; on several threads, maybe */
    uint64_t first;      /* ticks: when it was first entered; 0: never */
    uint64_t begin, end; /* since it is entered now; when it was left last */
    uint64_t total;      /* ticks of all outermost stays that ended */
    pid_t pid;           /* whose site numbers the ledger has; 0: none yet */
    pid_t latent;        /* the process in which it waits to be found in a variable; 0: it does not, or not any more */
    struct origin origin;
};

/* Of a collector that waits to be found in a variable, or was entered on this thread; else, and for any other object, NULL. */
struct ledger *collector_ledger(PyObject *object, const struct thread *t);

/* The nearest collector that a frame on the stack has entered, a new reference, and how many frames that one is away from
 * `levels` Python frames outwards. NULL: none, or an exception. */
PyObject *collector_nearest(int levels, PyObject **distance);

int collector_add_type(PyObject *module); /* 0, or -1 with an exception */

#endif
