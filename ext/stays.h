/* Stays: a collector is entered and left, by the frame that a `with` stands in, on several threads and several times within
 * itself, maybe; before that it may wait to be found in a variable. And what is begun and ended by name in between. */
#ifndef TSCAP_STAYS_H
#define TSCAP_STAYS_H

#include <stdbool.h>

#include "collector.h"
#include "thread.h"

/* It waits to be found in a variable, from now on; it does not any more. */
void stays_begin_latent(struct collector *c);
void stays_end_latent(struct collector *c);
bool stays_is_latent(const struct collector *c);

/* 0, or -1 with an exception. `name`: of the call that it is for everybody else who records. */
int stays_enter(struct collector *c, PyObject *name);
void stays_leave(struct collector *c, bool raised); /* the stay of the nearest frame that has one, else the latest */
void stays_leave_all(struct collector *c);

struct stay *stays_on(const struct collector *c, const struct thread *t); /* the latest one on this thread, or NULL */

/* A block of that name begins; the innermost one of that name ends. False: it is not entered on this thread, there is no memory;
 * there is none. */
bool stays_begin_by_hand(struct collector *c, PyObject *name);
bool stays_end_by_hand(struct collector *c, PyObject *name);

#endif
