/* Selections: which functions are recorded without being decorated. Whoever wants some has an instance, with its rules; what is
 * recorded is what any of them wants. */
#ifndef TSCAP_SELECTION_H
#define TSCAP_SELECTION_H

#include "python.h"

#include <stdbool.h>

#include "rules.h"

struct selection;
typedef uint32_t selection_set; /* of instances, a bit each: at most SELECTIONS_MAX at a time */
#define SELECTIONS_MAX 32

/* Takes over the rules. NULL with an exception: no memory, or there are too many. The interpreter's lock is held. */
struct selection *selection_begin(struct rules *rules);
void selection_end(struct selection *s);

selection_set selection_bit(const struct selection *s);

/* Does any want functions; C functions, too? */
bool selection_any(void);
bool selection_any_builtins(void);

/* Could functions of this module be wanted? To ask before their names are looked for. `file`: where the code comes from. */
bool selection_may_want(const char *module, const char *file);

/* Who wants this one? No code of the program runs. */
selection_set selection_wants(const char *module, const char *qualname, const char *file);

/* The same for a C function, which lies in no file. */
selection_set selection_wants_builtin(const char *module, const char *qualname);

#endif
