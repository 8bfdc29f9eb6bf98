/* Decorated functions: which code objects are ours.
 *
 * A function stays what it is; its code object carries a mark in its extra slot (PEP 523, _PyCode_SetExtra): the number of
 * its entry here and, once there is one, its site. The code is copied only where others that share it must stay
 * unrecorded. Sites enter the segment when recording first starts, so a dormant process keeps its few kilobytes. */
#ifndef TSCAP_FUNCTIONS_H
#define TSCAP_FUNCTIONS_H

#include "python.h"

#include <stdbool.h>

#include "selection.h"

/* Functions of this module are the recorder's own: measured, not shown. */
#define FUNCTIONS_OWN_MODULE "timestamp_capture._core"

/* What it keeps in a code object's extra slot: the site is the lower half. */
#define FUNCTIONS_SITE(extra) ((uint32_t)(extra))
extern Py_ssize_t functions_extra __attribute__((visibility("hidden"))); /* the slot */

int functions_init(void);

/* Marks a function's code. `name` NULL: its qualified name. `definition`: the code object that is running the decorator
 * (borrowed, may be NULL). 0, or -1 with an exception. */
int functions_decorate(PyFunctionObject *function, PyObject *name, PyCodeObject *definition);

/* Gives every marked code object its site; `look_again`: looks for functions whose __code__ was replaced. */
int functions_publish(bool look_again);

typedef int functions_visit(PyCodeObject *code, PyFunctionObject *function, void *context); /* function may be NULL */
int functions_each(functions_visit *visit, void *context);

/* The hook is armed: each code object that gets its site is visited. NULL: it is not any more. */
void functions_follow(functions_visit *visit, void *context);

uint64_t functions_count(void);     /* of both kinds: */
uint64_t functions_decorated(void); /* not only selected */

/* Selections began, or have ended: whose each function is, and what nobody wants any more. What was decided before is forgotten.
 * The hook must not be armed. */
void functions_select(selection_set set);
void functions_unselect(selection_set set);

/* What the extra slot holds of code that the present selections do not want: the hook need not ask again. */
extern uintptr_t functions_rejected __attribute__((visibility("hidden")));

/* Code that runs and has neither a site nor this in its slot: is it wanted? Its site, or 0. No exception, none lost. */
uint32_t functions_decide(PyCodeObject *code, const python_frame *frame);

/* After a fork: the child's segment knows no site yet. */
void functions_forget_sites(void);

#endif
