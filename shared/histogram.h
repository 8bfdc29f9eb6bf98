/* A log-linear histogram of durations: each power of two is cut into 16 equal steps, so a value read back from it is
 * off by at most 1/32 (3.2 %). Values below 16 ticks have a step each. Stored sparsely: a block per power of two that
 * occurs (struct bucket_block). */
#ifndef TSCAP_HISTOGRAM_H
#define TSCAP_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 16u
#define HISTOGRAM_EXPONENTS 61u /* 0: values 0..15; e: 2^(e+3) .. 2^(e+4) - 1 */

/* Bits of a value that its step leaves out. */
static inline unsigned histogram_shift(uint64_t value) { return 59u - (unsigned)__builtin_clzll(value | HISTOGRAM_STEPS); }
static inline unsigned histogram_exponent(uint64_t value) { return histogram_shift(value) + (value >= HISTOGRAM_STEPS); }
static inline unsigned histogram_step(uint64_t value) { return (unsigned)(value >> histogram_shift(value)) & (HISTOGRAM_STEPS - 1); }

/* Middle of a step; the inverse of the two above. */
uint64_t histogram_value(unsigned exponent, unsigned step);

/* A dense histogram, for reading. */
struct histogram {
    uint64_t total;
    uint64_t count[HISTOGRAM_EXPONENTS][HISTOGRAM_STEPS];
};

void histogram_add(struct histogram *h, unsigned exponent, unsigned step, uint64_t times);

/* The value below or at which `fraction` (0..1) of all lie; nearest rank; 0 when empty. Clamp it to the exact minimum
 * and maximum where those are known. */
uint64_t histogram_quantile(const struct histogram *h, double fraction);

#endif
