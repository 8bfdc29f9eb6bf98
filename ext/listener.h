/* The listener: a native thread that carries out what `tscap start|stop|reset|status` ask for (control.h). It sleeps in
 * poll(2) and takes the interpreter's lock only to arm, disarm or reset. */
#ifndef TSCAP_LISTENER_H
#define TSCAP_LISTENER_H

#include <stdbool.h>

int listener_start(void); /* 0 or -errno */

/* Ends the thread and waits for it. The interpreter's lock is held on entry and given up meanwhile. `heirs`: children have the session,
 * and what was attached for, and go on: what that lasts as long as is theirs from now on. */
void listener_stop(bool heirs);

/* The same around a fork, so that the program is not told of a thread that it knows nothing about: whoever asks meanwhile
 * waits at the socket until listener_start(). */
void listener_pause(void);

/* In the child: socket and thread are the parent's. An heir to the session, and to what was attached for, lasts as long as the
 * connection that the parent's attachment does, if that has one. */
void listener_forget(bool heir);

#endif
