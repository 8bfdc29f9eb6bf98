/* Conversions: a capture handed to the formats of export/. */
#ifndef TSCAP_CONVERSION_H
#define TSCAP_CONVERSION_H

#include <stdbool.h>
#include <stdio.h>

#include "capture.h"
#include "export.h"

struct settings;

/* "wall" (also NULL), "cpu", "calls". False: none of them. */
bool conversion_metric(const char *name, enum export_metric *metric);

/* By --metric and --invert, which must fit the format. False: no memory, it is not whole. */
bool conversion_write(export_writer *write, const struct capture *c, const struct settings *s, FILE *out);

#endif
