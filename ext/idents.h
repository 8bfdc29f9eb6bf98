/* Which Python thread a lane is of: its ident (threading.get_ident()), which the segment does not have, and its number in the order
 * in which threads began to record. In another segment each lane is noted anew before anybody asks. With the interpreter's lock. */
#ifndef TSCAP_IDENTS_H
#define TSCAP_IDENTS_H

#include <stdbool.h>
#include <stdint.h>

struct lane;

struct ident {
    uint32_t page, generation; /* of the lane: another thread's has another */
    unsigned long ident;
    uint64_t number;
};

/* Of the calling thread, whose lane it is from here on. Without memory for it nobody knows. */
void idents_note(const struct lane *lane, unsigned long ident, uint64_t number);

/* `lane`: as struct profile_thread has it. NULL: it is not known. */
const struct ident *idents_find(uint64_t lane);

/* By the thread's number. NULL: it is not known any more. */
const struct ident *idents_of_thread(uint64_t number);

#endif
