/* Which functions are recorded without being decorated: what `tscap attach` asked for. A function is named
 * module:qualname; rules are globs (fnmatch(3); "*" crosses dots). One with a colon has a part for each side; one without
 * fits the qualified name by itself or after its module and a dot. */
#ifndef TSCAP_WATCH_H
#define TSCAP_WATCH_H

#include "python.h"

#include <stdbool.h>

/* Takes the rules of a text, lines as shared/control.h lists them, in place of those before. The interpreter's lock is
 * held. 0, or -1 with an exception. */
int watch_begin(const char *rules);
void watch_end(void);

bool watch_active(void);
bool watch_builtins(void); /* C functions, too */

/* Could functions of this module be wanted? To ask before their names are looked for. `file`: where the code comes from. */
bool watch_may_want(const char *module, const char *file);

/* Is this one wanted? No code of the program runs. */
bool watch_wants(const char *module, const char *qualname, const char *file);

/* The same for a C function, which lies in no file. */
bool watch_wants_builtin(const char *module, const char *qualname);

#endif
