/* Failures: why loading into a process did not work after all; one row each. */
#ifndef TSCAP_FAILURE_H
#define TSCAP_FAILURE_H

#include "load.h"
#include "plan.h"

/* EXIT_OK where it worked; else the exit code, after the message. */
int failure_tell(const struct plan *p, const struct load_report *r);

#endif
