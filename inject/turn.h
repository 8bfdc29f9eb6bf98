/* A thread has one tracer at most: several of us that look into the same process at a time take turns. */
#ifndef TSCAP_TURN_H
#define TSCAP_TURN_H

#include <stdint.h>
#include <sys/types.h>

#include "status.h"

/* Waits while another tscap traces any of its threads, for a moment as a rule. */
void turn_wait(pid_t pid, uint64_t timeout_us);

/* status_read() of a moment in which no other tscap traces the process, if there is one before the time is over. */
int turn_read_status(struct status *s, pid_t pid, uint64_t timeout_us);

#endif
