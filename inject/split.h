/* Functions that the compiler has split: their cold part lies elsewhere, and a stripped file has no name for it. */
#ifndef TSCAP_SPLIT_H
#define TSCAP_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "python_frames.h"
#include "unwind_table.h"

/* The other part of the function that begins at `function`: a procedure that is no function by itself, with several jumps
 * to it and several back. `memory`: where the code is. False: there is none, or it is not certain which one. */
bool split_find(const struct unwind_table *t, unsigned machine, const struct python_memory *memory, uint64_t function,
                struct procedure *part);

#endif
