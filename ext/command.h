/* The command's consumers: the session that `tscap start` and start() begin, and what `tscap attach` selected. Starting and stopping
 * is for both. The interpreter's lock is held in all of these. */
#ifndef TSCAP_COMMAND_H
#define TSCAP_COMMAND_H

#include <stdbool.h>

#include "consumers.h"

/* `subprocesses`: children made while it runs record from their start. */
enum consumers_change command_start(bool subprocesses);
enum consumers_change command_stop(void);

/* What they recorded is forgotten: all that there is, where nobody else wants records or has some. 0, or -1 with an exception. */
int command_reset(void);

/* Functions that are not decorated, until they are unselected; the rules are taken over. 0, or -1 with an exception: all is as before. */
int command_select(struct rules *rules);
int command_unselect(void);
bool command_selects(void);

/* The segment goes: nothing runs. What is selected is so still, for a segment that may follow, until it is forgotten. */
void command_forget(void);
void command_forget_selection(void);

#endif
