/* Signals that end a command, or stop it, wait while it does what must not be left half done. */
#ifndef TSCAP_HOLD_H
#define TSCAP_HOLD_H

#include <signal.h>

void hold_signals(sigset_t *before);
void hold_end(const sigset_t *before); /* what came meanwhile comes now */

#endif
