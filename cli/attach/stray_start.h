/* Recording in strays, which hear no order: each is attached to, so that it listens, and then told to start. */
#ifndef TSCAP_STRAY_START_H
#define TSCAP_STRAY_START_H

#include "operand.h"
#include "settings.h"

/* Those below `root`, whose other descendants record. One that cannot be attached to, as may be found without touching it, is
 * named with the remedy, which is no failure. EXIT_OK, or the exit code of the first of which only trying showed it, after
 * messages. */
int stray_start(struct operand *root, const struct settings *s);

#endif
