/* Numbers that are too large are the largest there is: what another process wrote may add up to anything, and a conversion that
 * does not fit is undefined. */
#ifndef TSCAP_SATURATE_H
#define TSCAP_SATURATE_H

#include <stdint.h>

/* The nearest whole number to one that is not negative. */
static inline uint64_t saturated(double value)
{
    value += 0.5;
    return value < 18446744073709549568.0 ? (uint64_t)value : UINT64_MAX;
}

#endif
