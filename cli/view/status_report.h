/* What a process does, in words and in JSON. All but how many functions are armed is read from its segment: it works for a
 * process that is stopped or dead. */
#ifndef TSCAP_STATUS_REPORT_H
#define TSCAP_STATUS_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "audiences.h"
#include "clock.h"
#include "control.h"
#include "profile.h"
#include "subject.h"

struct status_report {
    const struct subject *subject;       /* (borrowed) */
    const struct segment_header *header; /* (borrowed) the subject's */
    struct clock_scale scale;
    int asked; /* 0: `reply` holds; else -errno */
    struct control_reply reply;
    struct audiences audiences;
    int consumers; /* 0, or why its consumers could not be read: -errno */
    /* of a capture (subject->captured), which has no segment and nobody to ask: */
    uint64_t asof;                 /* ticks: when it was looked at */
    const struct profile *profile; /* (borrowed) which has what was lost; NULL: it is of several processes together */
};

/* Of a process, or of a process tree, the root first. */
struct status_reports {
    struct status_report *report;
    size_t count;
};

/* False: no memory, it is not whole. */
bool status_report_print(const struct status_reports *all);
bool status_report_json(const struct status_reports *all, FILE *out);

#endif
