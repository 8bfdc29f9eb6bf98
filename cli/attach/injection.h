/* Bringing timestamp_capture into a process that has not imported it. */
#ifndef TSCAP_INJECTION_H
#define TSCAP_INJECTION_H

#include <stdint.h>

#include "load.h"
#include "plan.h"

/* Loads it and waits until its segment and its listener are there. EXIT_OK, or an exit code after a message. */
int injection_run(const struct plan *p, uint64_t timeout_ns, struct load_report *report);

#endif
