/* A process without timestamp_capture whose descendants have it: the master of a server that loads its application in the workers
 * alone. It records nothing itself, but what it forks later has the session from it. */
#ifndef TSCAP_MASTER_START_H
#define TSCAP_MASTER_START_H

#include "operand.h"
#include "settings.h"

/* Whom `tscap start -s` is for, as operand_find() does; into such a master timestamp_capture is brought. Where that cannot be, those
 * below it that have it are told to record by themselves, which is not all that was asked for: an exit code, after messages. EXIT_OK:
 * it is found. To be freed in any case. */
int master_find(struct operand *o, const struct settings *s);

#endif
