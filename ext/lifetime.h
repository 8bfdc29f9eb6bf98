/* The lifetime of this process: fork and exit, and who has to hear of them. */
#ifndef TSCAP_LIFETIME_H
#define TSCAP_LIFETIME_H

/* From now on. 0, or -1 with an exception. */
int lifetime_watch(void);

/* Our hooks of fork go behind those that were registered meanwhile. 0, or -1 with an exception. */
int lifetime_watch_again(void);

#endif
