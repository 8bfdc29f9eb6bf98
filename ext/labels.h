/* Labels: what a session's callbacks say of a call when it begins, its context and its tag, as a number. Calls of a function under a
 * label are those of a variant of its site.
 *
 * While nobody asks for labels nothing of this is run; while somebody does, no call is a usual one. With the interpreter's lock. */
#ifndef TSCAP_LABELS_H
#define TSCAP_LABELS_H

#include "python.h"

#include <stdbool.h>
#include <stdint.h>

/* From here on the label of each call is what `callable` returns, an int, 0: none; NULL: there are none. What a call that is
 * beginning was told before counts no more: it asks again. */
void labels_ask(PyObject *callable);

#pragma GCC visibility push(hidden)
extern bool labels_on; /* calls get labels */
#pragma GCC visibility pop

/* The site for a call that begins now, of this code, or of a C function (NULL), instead of *site; 0: it cannot be recorded any more.
 * Runs code of the program, which is not recorded. What that raises was meant for the program, as what the handler of a signal
 * raises: false, with the exception set, whatever was set before; the call has no label. Else no exception is set, and none lost. */
bool labels_find_site(const PyCodeObject *code, uint32_t *site);
static inline bool labels_site(const PyCodeObject *code, uint32_t *site)
{
    return !(__builtin_expect(labels_on, 0) && *site) || labels_find_site(code, site);
}

/* The callable is asked, for what it notes itself. False: as before. */
bool labels_note_call(void);
static inline bool labels_note(void) { return !__builtin_expect(labels_on, 0) || labels_note_call(); }

/* The same for a generator or coroutine with this key that goes on: the label is that of its beginning. */
uint32_t labels_resumed_site(uint32_t site, uint64_t key);

#endif
