/* Kin: what a process has to do with the sessions of its ancestors and with what its descendants leave. */
#ifndef TSCAP_KIN_H
#define TSCAP_KIN_H

#include <stdbool.h>

#include "segment_file.h"

/* Does the nearest ancestor that has a segment record with its subprocesses? Then so does this process, from its start. */
bool kin_record(const struct segment *s);

/* Is this process' segment to stay when it ends, as a part of that ancestor's session? Not without end: where there are
 * KIN_FILES files, no more of them stay. */
bool kin_keep(const struct segment *s);
#define KIN_FILES 1024

/* The process ends and takes its segment along: so it does with those that its descendants left. */
void kin_clear(const struct segment *s);

#endif
