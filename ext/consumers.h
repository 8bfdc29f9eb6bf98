/* Consumers: who wants records. The session is one, and so is each collector that is entered or waits to be found in a
 * variable. The interpreter's lock is held in all of these. */
#ifndef TSCAP_CONSUMERS_H
#define TSCAP_CONSUMERS_H

#include <stdbool.h>

/* The session. `subprocesses`: children made while it runs record from their start. FAILED: a Python exception is set. */
enum consumers_change { CONSUMERS_DONE, CONSUMERS_ALREADY, CONSUMERS_FAILED };
enum consumers_change consumers_start(bool subprocesses);
enum consumers_change consumers_stop(void);

int consumers_want(void);    /* a collector is entered: 0, or -1 with an exception */
void consumers_unwant(void); /* and left */
int consumers_want_latent(void); /* a collector waits to be found in a variable: the same */
void consumers_unwant_latent(void);

bool consumers_refuse(void); /* nothing can be recorded: with an exception that says why */

#endif
