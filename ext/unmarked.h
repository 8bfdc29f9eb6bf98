/* What @timestamp was put on and could not mark: it stays what it is, and its calls are not recorded. All are counted; the
 * first are named, in a fixed room, for what could not be had may be memory. */
#ifndef TSCAP_UNMARKED_H
#define TSCAP_UNMARKED_H

#include "python.h"

/* The interpreter's lock is held in all of these. */
void unmarked_add(PyObject *name); /* anything but a str: one without a name. No exception; one that is set stays */
uint32_t unmarked_count(void);
PyObject *unmarked_names(void); /* a new list of str; NULL: with an exception */
void unmarked_publish(void);    /* in a new segment */

#endif
