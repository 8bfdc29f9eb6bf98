/* Reading one's own segment, as tscap does from outside: nobody is stopped for it, and the interpreter's lock is released meanwhile. */
#ifndef TSCAP_READING_H
#define TSCAP_READING_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

#include "snapshot.h"

struct reading_copy {
    struct snapshot snapshot;
    struct clock_scale scale;
};

/* Copies the segment and calls use(context), without the interpreter's lock, then frees the copy. 0, or -1 with an exception, for
 * which `use` returns a negative errno. */
typedef int reading_use(void *context);
int reading_copy(struct reading_copy *copy, reading_use *use, void *context);

/* What the consumer with this number in the roster sees, as a dict (_core.pyi, _Reading); NULL: with an exception. */
PyObject *reading_take(uint32_t consumer, bool threads, bool pairs);

/* The segment is about to be given up: waits for those that read it, each for half a second at most. The interpreter's lock is held. */
void reading_await(void);
void reading_forget(void); /* in a forked child: those who read are threads of the parent */

#endif
