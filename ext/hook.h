/* The hooks: how the interpreter tells us that decorated code begins and ends. One implementation per range of versions:
 * hook_eval.c (3.9 to 3.11, PEP 523) and hook_monitoring.c (3.12 and later, PEP 669). Dormant they are not there. */
#ifndef TSCAP_HOOK_H
#define TSCAP_HOOK_H

#include "python.h"

#include <stdbool.h>

/* All with the interpreter's lock held. 0, or -1 with an exception. */
int hook_arm(void); /* functions_arm() was called before */
bool hook_is_dear(void);        /* arming takes time with the number of functions */
void hook_disarm(void);
bool hook_armed(void);

/* Is the hook still ours? Looked at by status; puts it back on top and counts when another took its place. */
bool hook_check(void);

const char *hook_name(void);

#endif
