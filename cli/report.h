/* The lines around a table: whose it is, what it adds up to, what is missing, what it cost. */
#ifndef TSCAP_REPORT_H
#define TSCAP_REPORT_H

#include <stdint.h>

#include "capture.h"
#include "functions.h"

void report_heading(const struct capture *c);

/* `f`: NULL where no functions are listed; `limit`: rows that may have been printed. */
void report_summary(const struct capture *c, const struct functions *f, uint64_t limit);

/* One line above each table of top. `before`: the earlier look. */
void report_interval(const struct functions *f, const struct capture *now, const struct capture *before);

/* Where the data begin and, if nobody records, end: ticks. */
uint64_t report_span(const struct capture *c);

#endif
