/* What wakes the listener: anybody may have it look for what else there is to do, be it there or not. */
#ifndef TSCAP_WAKEUP_H
#define TSCAP_WAKEUP_H

#include <poll.h>
#include <stdbool.h>

bool wakeup_send(void); /* false: nothing was sent, there is no descriptor, or it is full: then the listener is awake */

/* For the listener. */
int wakeup_open(void); /* 0 or -errno */
bool wakeup_is_ours(void);
struct pollfd wakeup_poll(void); /* what to wait for: that it is to wake, or that somebody closed descriptors */
void wakeup_drain(void);
void wakeup_close(void);

#endif
