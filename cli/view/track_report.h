/* Profilers, their tracks and what is in these, with their switches and hits: as a table and in JSON. */
#ifndef TSCAP_TRACK_REPORT_H
#define TSCAP_TRACK_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "subject.h"
#include "track_list.h"

struct track_report {
    const struct subject *subject; /* (borrowed) */
    struct track_list list;
};

/* False: no memory, it is not whole. */
bool track_report_print(const struct track_report *r);
bool track_report_json(const struct track_report *r, FILE *out);

#endif
