/* How often each site and each pair (caller, site) is open: a flat node cannot tell recursion by its ancestors. Counted from the
 * moment at which paths are given up. For fold*.c only. */
#ifndef TSCAP_FOLD_OPENS_H
#define TSCAP_FOLD_OPENS_H

#include "fold.h"

bool opens_begin(struct folder *f); /* false: no memory */
void opens_add(struct folder *f, uint32_t caller, uint32_t site);
void opens_remove(struct folder *f, uint32_t caller, uint32_t site);

#endif
