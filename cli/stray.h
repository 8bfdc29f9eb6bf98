/* Strays: processes that C code forked without Python's knowledge. No hook of fork has run in them, so they have no segment but
 * still a copy of what their parent had, its segment at the same place in memory. */
#ifndef TSCAP_STRAY_H
#define TSCAP_STRAY_H

#include "subject.h"

/* Whose copy it is; borrowed from `all`. NULL: it is no stray. */
const struct subject *stray_parent(pid_t pid, const struct subjects *all);

#endif
