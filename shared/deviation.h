/* Standard deviations out of sums: of how many, their sum, and the sum of their squares. Squares of ticks take 128 bits. */
#ifndef TSCAP_DEVIATION_H
#define TSCAP_DEVIATION_H

#include "segment.h"
#include "word.h"

__extension__ typedef unsigned __int128 uint128;

static inline uint128 node_squares(const struct node *n) { return (uint128)word_get(&n->squares[1]) << 64 | word_get(&n->squares[0]); }

/* Of all of them, not an estimate from a sample; to within 1, 0 for none and where the sums contradict each other. Any values will do. */
uint64_t deviation_of(uint64_t count, uint64_t sum, uint128 squares);

#endif
