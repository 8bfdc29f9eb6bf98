/* A private map from a 64-bit key (not 0) to a small count; open addressing. */
#ifndef TSCAP_COUNTS_H
#define TSCAP_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct counts {
    uint64_t *key;
    uint32_t *count;
    uint32_t room; /* a power of two */
    uint32_t used;
};

bool counts_init(struct counts *c);
void counts_free(struct counts *c);
uint32_t counts_get(const struct counts *c, uint64_t key);
bool counts_increment(struct counts *c, uint64_t key);                 /* false: no memory, not counted */
bool counts_set(struct counts *c, uint64_t key, uint32_t count);       /* false: no memory, not set */
void counts_decrement(struct counts *c, uint64_t key);                 /* 0 stays 0 */

#endif
