/* Orders: what start, stop and reset tell the listener in a process. */
#ifndef TSCAP_ORDER_H
#define TSCAP_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "subject.h"

/* 0 or -errno, as control_ask(). `argument`: see enum control_argument. Prints nothing. */
int order_ask(const struct subject *subject, enum control_command command, uint32_t argument, uint64_t timeout_ns, struct control_reply *reply);

/* The same, and the connection stays open if it is answered: its descriptor, or -errno. */
int order_ask_on(const struct subject *subject, enum control_command command, uint32_t argument, uint64_t timeout_ns, struct control_reply *reply);

bool order_is_deaf(int error); /* nobody listens */

/* Nobody listens yet, or any more, so it is worth another look; a process that runs on, and was asked all the time there was, is not. */
bool order_may_come_round(const struct subject *subject, int error);

/* Sends only: what control_send() returns. */
int order_send(const struct subject *subject, enum control_command command, uint32_t argument);

int order_send_text(const struct subject *subject, enum control_command command, const char *text, uint64_t timeout_ns); /* with a text behind it */

#define ORDER_TIMEOUT 10000000000u /* ns */

/* What came of it: `error` and `reply` as from order_ask(). EXIT_OK, or an exit code after a message. */
int order_check(const struct subject *subject, enum control_command command, uint64_t timeout_ns, int error, const struct control_reply *reply);

/* Tells it, waits, says what it did. `done`, `already`: words for that. */
int order_give(const struct subject *subject, enum control_command command, uint64_t timeout_ns, const char *done, const char *already);

/* Of a process that was detached from: where what was recorded is, if it is still there. */
void order_tell_what_is_left(const struct subject *subject);

#endif
