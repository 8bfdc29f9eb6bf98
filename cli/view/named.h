/* Functions by the name that a user types: as tables show it, as module:qualname or module.qualname, the qualified name, or
 * its last part. */
#ifndef TSCAP_NAMED_H
#define TSCAP_NAMED_H

#include <stddef.h>
#include <stdint.h>

#include "profile.h"

/* The indices in profile.site of all that the name means in the first of these ways in which it means any; to be freed. NULL with
 * `*count` 0: there is none; with another: no memory. `label`: as labels_make() gives them. */
uint32_t *named_find(const struct profile *p, char **label, const char *name, size_t *count);

/* "fib, fob, Cart.fib": those whose names are the most like it, the nearest first, of functions that were called. */
void named_nearest(const struct profile *p, char **label, const char *name, char *buffer, size_t size);

#endif
