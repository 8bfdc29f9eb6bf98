/* Tethers: descriptors that a session lasts as long as. Who began it holds the other end; when that is gone, because it was killed, the
 * session ends, and what it recorded stays. Only that session: not one that somebody else ordered since. The tether of what
 * was attached is the listener's own, since more hangs on it. */
#ifndef TSCAP_TETHER_H
#define TSCAP_TETHER_H

#include <poll.h>
#include <stdbool.h>

enum tether {
    TETHER_CONNECTION, /* that of the order to start: CONTROL_TETHER */
    TETHER_KEEPER,     /* the lifeline of `tscap run` */
    TETHERS
};

/* The interpreter's lock is held in these. The session that runs now: the descriptor is the tether's, whose earlier one goes. */
void tether_hold(enum tether which, int fd);
void tether_end(enum tether which); /* the other end is gone */
void tether_drop_all(void);

/* In a forked child, as long as it has its parent's segment: a tether of an earlier session of the parent holds nothing. */
void tether_drop_stale(void);

/* In a forked child, once its own session has begun, if it has one: an heir's lasts as long as its parent's. */
void tether_inherit(bool heir);

/* For the listener: what to wait for, and what came of it. */
struct pollfd tether_poll(enum tether which);
void tether_heed(enum tether which, short events);

#endif
