/* The build of the Python package that fits a process: of its version of Python and kind of build. Looked for where ours
 * may be ($TSCAP_BUILD, the build tree that this tscap is in, the folder it was installed below) and then where the
 * process' own packages are. */
#ifndef TSCAP_EXTENSION_H
#define TSCAP_EXTENSION_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "target.h"

struct extension {
    char library[PATH_MAX]; /* the file in it to load, as the process sees it */
    bool hidden;            /* it is there for us, but the process does not see it */
    bool bring;             /* it is a path of ours, whether the process sees it or not */
    bool resident;          /* the process has loaded it before */
};

/* False: none; a hidden one has been found if `hidden`. With `bring` ours will do; what it has loaded before always does. */
bool extension_find(struct extension *e, pid_t pid, const struct target *t, bool bring);

/* All that are ours, for whatever interpreter of this machine, the nearest first; until `visit` returns false. */
void extension_each(bool (*visit)(void *context, const char *library), void *context);

/* "CPython 3.13 (debug build)": what it has to be for. */
void extension_kind(const struct target *t, char *buffer, size_t size);

#endif
