/* Orders: what start, stop and reset tell the listener in a process. */
#ifndef TSCAP_ORDER_H
#define TSCAP_ORDER_H

#include <stdint.h>

#include "control.h"
#include "option.h"
#include "subject.h"

/* 0 or -errno, as control_ask(). Prints nothing. */
int order_ask(const struct subject *subject, enum control_command command, uint64_t timeout_ns, struct control_reply *reply);

/* Runs the whole command: finds the process, tells it, says what it did. `done`, `already`: words for that. */
int order_run(const struct settings *s, enum control_command command, const char *done, const char *already);

#endif
