/* What the rules of an attachment mean in a process as it is now, without anything being brought into it. */
#ifndef TSCAP_MATCHING_H
#define TSCAP_MATCHING_H

#include "attachment.h"

/* Prints a line for each function that would be recorded, by module and name: only their number, where no option names any. Says what is
 * not listed, and why nothing is where that is so. EXIT_OK, or an exit code after a message. */
int matching_show(const struct attachment *a, pid_t pid);

#endif
