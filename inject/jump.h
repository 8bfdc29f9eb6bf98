/* Direct jumps in machine code. */
#ifndef TSCAP_JUMP_H
#define TSCAP_JUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is there, at the beginning of `code`, a jump whose target is part of the instruction? `machine`: e_machine. Where
 * instructions differ in length, bytes within one may look like a jump: one alone proves nothing. */
bool jump_at(unsigned machine, const uint8_t *code, size_t size, uint64_t address, uint64_t *target);

size_t jump_step(unsigned machine); /* instructions begin at multiples of that; 0: a machine that we do not know */

#endif
