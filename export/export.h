/* Exports: a profile in the formats of other programs. Each format has a file of its own, and a function of this shape. They
 * know the profile alone, not where it came from: of a process, of several, of a file. */
#ifndef TSCAP_EXPORT_H
#define TSCAP_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "clock.h"
#include "profile.h"
#include "recording.h"

/* What a format that has room for one number shows. */
enum export_metric { EXPORT_WALL, EXPORT_CPU, EXPORT_CALLS };

struct export_process {
    long pid;
    const char *command; /* (borrowed) its command line; "": unknown */
};

struct export {
    const struct profile *profile;        /* (borrowed) */
    const struct export_process *process; /* (borrowed) indexed by profile_thread.process; the first one is the root */
    size_t processes;
    struct clock_scale scale;
    bool cpu;           /* CPU time was measured; else EXPORT_CPU is not to be asked for */
    uint64_t began;     /* ns since 1970; 0: unknown */
    uint64_t duration;  /* ns */
    enum export_metric metric;
    bool invert;        /* callees above their callers, where the format can */
    const uint64_t *before; /* (borrowed) [nodes + 1]: `metric` of each node in an earlier profile, by what it is compared; NULL: it is not */
};

/* "wall", "cpu", "calls". False: none of them. */
bool export_metric_named(const char *name, enum export_metric *metric);

/* Writes the whole; false: no memory, what was written is not whole. Whether it arrived is for the owner of `out` to ask. */
typedef bool export_writer(const struct export *e, FILE *out);

export_writer export_csv;        /* a row a function, RFC 4180; all metrics */
export_writer export_folded;     /* a line a call path; by metric */
export_writer export_speedscope; /* a sampled profile a thread; by metric */
export_writer export_pstats;     /* functions and callers, in seconds; wall or CPU */
export_writer export_callgrind;  /* functions and callees, in ns; wall and CPU */
export_writer export_pprof;      /* gzip; calls, wall and CPU; `metric`: which one is shown first */
export_writer export_svg;        /* a flame graph; by metric, may be inverted */

/* pprof without gzip, which its readers take, too: for who does not link zlib. */
export_writer export_pprof_plain;

/* Whoever has a recording has all that a format wants. False: as above. */
bool export_recording(export_writer *write, const struct recording *r, enum export_metric metric, bool invert, FILE *out);

#endif
