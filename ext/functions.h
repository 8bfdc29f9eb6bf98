/* Functions: which code objects are ours, because they are decorated, some rules select them, or a consumer's API marked them.
 *
 * A function stays what it is; its code object carries a mark in its extra slot (PEP 523, _PyCode_SetExtra): the number of
 * its entry here and, once there is one, its site. The code is copied only where others that share it must stay
 * unrecorded. Sites enter the segment when somebody first wants their
 * records, so a dormant process keeps its few kilobytes; and only then the code has its site in the slot, which is what the hooks
 * look at: a function that nobody who runs wants is not armed. */
#ifndef TSCAP_FUNCTIONS_H
#define TSCAP_FUNCTIONS_H

#include "python.h"

#include <stdbool.h>

#include "marks.h"
#include "selection.h"

/* Functions of this module are the recorder's own: measured, not shown. */
#define FUNCTIONS_OWN_MODULE "timestamp_capture._core"

/* Marks a function's code. `name` NULL: its qualified name. `definition`: the code object that is running the decorator
 * (borrowed, may be NULL). 0, or -1 with an exception. */
int functions_decorate(PyFunctionObject *function, PyObject *name, PyCodeObject *definition);

/* The same for consumers that ask for its site by number, and for no other: its site has this name and track. The site's number in
 * the present segment; 0: no room for it. -1 with an exception. */
int64_t functions_place(PyFunctionObject *function, PyObject *name, uint32_t track, PyCodeObject *definition);

/* Is it marked by functions_place()? */
bool functions_are_placed(const PyCodeObject *code);

/* Arms each marked code object that somebody who runs wants, which may give it its site; `look_again`: looks for functions whose
 * __code__ was replaced. 0, or -1 with an exception. */
int functions_arm(bool look_again);
int functions_arm_sites(const uint32_t *site, size_t sites); /* only those of these */

typedef int functions_visit(PyCodeObject *code, PyFunctionObject *function, void *context); /* function may be NULL */
int functions_each(functions_visit *visit, void *context);

/* Disarms those that nobody who runs wants any more. While somebody records, only as far as no call of them can be open: its end
 * would not be told; the others later. */
void functions_disarm(void);

/* The hook is armed: each code object that is armed or disarmed from here on is visited; `settle`, if not NULL, is called once after all
 * that one call here has armed. It returns as a visit does. NULL: it is not any more. */
void functions_follow(functions_visit *visit, int (*settle)(void), void *context);

/* The rules of a member have changed, or it has none any more: whose each function is. What was decided before is forgotten. */
void functions_reselect(unsigned member);

/* The sites that the member wants, as far as they have numbers: it is told of them, or they are listed; at most so many. */
void functions_tell(unsigned member);
void functions_note_choice(void); /* some site is wanted by somebody else than before */
size_t functions_wanted_by(unsigned member, uint32_t *site);

uint32_t functions_site(const PyCodeObject *code); /* 0: it has none, or not yet */

/* What the extra slot holds of code that the present selections do not want: the hook need not ask again. */
extern uintptr_t functions_rejected __attribute__((visibility("hidden")));

/* Code that runs and has neither a site nor this in its slot: is it wanted? Its site, or 0. No exception, none lost. Nobody follows:
 * the hook that asks knows what is armed by that. */
uint32_t functions_decide(PyCodeObject *code, const python_frame *frame);

void functions_forget_sites(void); /* the segment goes, or is another process' */

#endif
