/* Interning: a number for each different text, 1, 2, 3 ... in the order in which they came. */
#ifndef TSCAP_INTERNING_H
#define TSCAP_INTERNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interning {
    struct interned **slot; /* a hash table with open addressing */
    uint32_t room;          /* a power of two */
    uint32_t count;
};

/* The number of a text; *fresh: it came for the first time. 0: no memory. */
uint32_t interning_number(struct interning *x, const char *text, bool *fresh);

void interning_free(struct interning *x);

#endif
