/* Selections: which functions a consumer wants without their being decorated, by rules. A member that has some (membership.h) has
 * one; what is marked is what any of them wants. */
#ifndef TSCAP_SELECTION_H
#define TSCAP_SELECTION_H

#include "python.h"

#include <stdbool.h>

#include "membership.h"
#include "rules.h"

/* These rules are in force for it, and `*rules` what was before: none, if it had no selection. 0, or -1 with an exception: then
 * nothing has changed. The interpreter's lock is held. */
int selection_exchange(unsigned member, struct rules *rules);
void selection_drop(unsigned member);
bool selection_has(unsigned member);

/* Does any want functions; does one that runs want to be told of C functions, too, to record them or for labels? */
bool selection_any(void);
bool selection_any_builtins(void);
bool selection_hears_of_builtins(unsigned member);
/* Its rules in words, short. Returns `buffer`. */
#define SELECTION_TEXT 88
const char *selection_describe(unsigned member, char buffer[SELECTION_TEXT]);
member_set selection_with_builtins(void); /* who does, running or not */

/* Could functions of this module be wanted? To ask before their names are looked for. `file`: where the code comes from. */
bool selection_may_want(const char *module, const char *file);

/* Who wants this one? No code of the program runs. */
member_set selection_wants(const char *module, const char *qualname, const char *file);

/* The same for a C function, which lies in no file. */
member_set selection_wants_builtin(const char *module, const char *qualname);

#endif
