/* The lifetime of this process: fork and exit, and who has to hear of them. With the interpreter's lock. */
#ifndef TSCAP_LIFETIME_H
#define TSCAP_LIFETIME_H

/* From now on. 0, or -1 with an exception. */
int lifetime_watch(void);

/* Our hooks of fork go behind those that were registered meanwhile. 0, or -1 with an exception. */
int lifetime_watch_again(void);

/* At import: records, if an ancestor's session covers this process. No exception. */
void lifetime_inherit(void);

/* Before anything else that is asked of the recorder: if C code forked this process, it gets a segment of its own. */
void lifetime_settle(void);

/* A segment, if there is none, and the listener. 0, or -1 with an exception. */
int lifetime_reopen(void);

#endif
