/* The collectors as a consumer: together they are one, which runs while one of them is entered or waits to be found in a variable. What
 * each has counted is in its ledger. The interpreter's lock is held in all of these. */
#ifndef TSCAP_COLLECTING_H
#define TSCAP_COLLECTING_H

#include <stdbool.h>

int collecting_want(void);    /* a collector is entered: 0, or -1 with an exception */
void collecting_unwant(void); /* and left */
int collecting_want_latent(void); /* a collector waits to be found in a variable: the same */
void collecting_unwant_latent(void);

bool collecting(void); /* does one want records? */
void collecting_clear(void);  /* all that was recorded is forgotten */
void collecting_forget(void); /* the segment goes, or is another process' */

#endif
