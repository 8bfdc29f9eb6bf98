/* Arming: the hooks are there as long as somebody wants records, and for a while after (linger.h). With the interpreter's
 * lock. */
#ifndef TSCAP_ARMING_H
#define TSCAP_ARMING_H

#include <stdbool.h>

/* For who runs (membership.h). `look_again`: looks for functions whose __code__ was replaced. 0, or -1 with an exception. */
int arming_arm(bool look_again);
bool arming_is_time_to_look(void); /* a session looks each time, who begins often once a second at most */
void arming_disarm(void); /* if nobody wants records */

/* The hooks are taken out for a moment, to be set anew for other selections: were they there? And back: 0, or -1 with an exception. No
 * code of the program runs in between. */
bool arming_suspend(void);
int arming_resume(bool were);

/* The last consumer has gone. */
void arming_linger(void);

/* For the listener, without the lock, which it may take: is it time to disarm? */
void arming_look(bool timed_out);

#endif
