/* Arming: the hooks are there as long as somebody wants records, and for a while after (linger.h). With the interpreter's
 * lock. */
#ifndef TSCAP_ARMING_H
#define TSCAP_ARMING_H

#include <stdbool.h>

/* `look_again`: looks for functions whose __code__ was replaced. 0, or -1 with an exception. */
int arming_arm(bool look_again);
void arming_disarm(void); /* if nobody wants records */

/* The last consumer has gone. */
void arming_linger(void);

/* For the listener, without the lock, which it may take: is it time to disarm? */
void arming_look(bool timed_out);

#endif
