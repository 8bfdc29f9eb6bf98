/* The hooks: how the interpreter tells us that decorated code begins and ends. One implementation per range of versions:
 * hook_eval.c (3.9 to 3.11, PEP 523) and hook_monitoring.c (3.12 and later, PEP 669). Dormant they are not there. */
#ifndef TSCAP_HOOK_H
#define TSCAP_HOOK_H

#include "python.h"

#include <stdbool.h>

#define HOOK_SITE(extra) ((uint32_t)(extra)) /* what functions.h keeps in a code object's extra slot: its site */
extern Py_ssize_t hook_extra __attribute__((visibility("hidden"))); /* the slot */

/* All with the interpreter's lock held. 0, or -1 with an exception. */
int hook_arm(void); /* functions_publish() was called before */
bool hook_is_dear(void);        /* arming takes time with the number of functions */
void hook_disarm(void);
bool hook_armed(void);

/* A code object got its mark while armed. */
int hook_arm_code(PyCodeObject *code, PyFunctionObject *function);

/* Is the hook still ours? Looked at by status; puts it back on top and counts when another took its place. */
bool hook_check(void);

/* Measures once what a recorded call adds and notes it in the segment. */
void hook_measure(void);

/* The key of a generator or coroutine whose frame this is. */
uint64_t hook_key(const void *frame);

const char *hook_name(void);

#endif
