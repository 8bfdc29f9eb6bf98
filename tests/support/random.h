/* Random numbers that are the same everywhere: xorshift64*. */
#ifndef TSCAP_TESTS_RANDOM_H
#define TSCAP_TESTS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline struct random random_seeded(uint64_t seed) { return (struct random){seed * 0x9e3779b97f4a7c15ull | 1}; }

static inline uint64_t random_next(struct random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1dull;
}

/* 0 .. n - 1 */
static inline uint32_t random_below(struct random *r, uint32_t n) { return (uint32_t)((random_next(r) >> 32) * n >> 32); }
static inline bool random_chance(struct random *r, uint32_t percent) { return random_below(r, 100) < percent; }

#endif
