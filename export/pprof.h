/* A profile for pprof, as it is before compression. For pprof*.c only. */
#ifndef TSCAP_PPROF_H
#define TSCAP_PPROF_H

#include <stdbool.h>
#include <stddef.h>

#include "export.h"

/* Takes the profile piece by piece. */
typedef void pprof_sink(void *context, const void *bytes, size_t size);

bool pprof_write(const struct export *e, pprof_sink *sink, void *context);

#endif
