/* Other interpreters in this process (subinterpreters). Hooks are an interpreter's own, and ours are the main one's: what runs
 * in others is not recorded. They are counted, so that nobody takes the numbers for all there is. */
#ifndef TSCAP_INTERPRETERS_H
#define TSCAP_INTERPRETERS_H

/* The interpreter's lock is held in these three. A session begins: those that there are count, if they did not before, and
 * those that are made until it ends. */
void interpreters_begin(void);
void interpreters_end(void);
void interpreters_forget(void); /* the segment is another, maybe a forked child's, or was reset: no session is known */

/* For the listener: milliseconds until it must look, -1: it need not; and the look, which may take the interpreter's lock. */
int interpreters_timeout(void);
void interpreters_look(void);

#endif
