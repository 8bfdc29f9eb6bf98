/* Texts in another process' interpreter: copies of its str objects, whatever they are. */
#ifndef TSCAP_PYTHON_TEXT_H
#define TSCAP_PYTHON_TEXT_H

#include <stdint.h>

#include "python_frames.h"

#define PYTHON_TEXT_MAX 1024 /* characters; more are cut off */

struct python_text_layout {
    uint64_t length, state; /* offsets */
    uint64_t kind;          /* bit of `state`, then 3 bits; the next say "compact" and "ascii" */
    uint64_t ascii;         /* where the characters of one begin that has nothing but ASCII */
    uint64_t other;         /* others: so much behind that */
};

/* Printable; "?" where there is none to be read. To be freed; NULL: no memory. */
char *python_text_read(const struct python_memory *m, const struct python_text_layout *l, uint64_t object);

#endif
