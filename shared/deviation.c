#include "deviation.h"

/* By Newton's method, from above, less than twice as much at first: falls until it is the root. */
static uint64_t root(uint128 square)
{
    uint64_t high = (uint64_t)(square >> 64), low = (uint64_t)square;
    if (!(high | low))
        return 0;
    unsigned bits = high ? 128 - (unsigned)__builtin_clzll(high) : 64 - (unsigned)__builtin_clzll(low);
    uint128 x = (uint128)1 << (bits + 1) / 2;
    for (;;) {
        uint128 next = (x + square / x) / 2;
        if (next >= x)
            return (uint64_t)x;
        x = next;
    }
}

/* The square of the deviation is squares / count less the square of the mean. The mean is a whole number and a part of one, and of
 * both sides only what differs is subtracted, so that nothing is rounded before:
 *
 *   squares - count * whole^2 - 2 * whole * rest = count * deviation^2 + rest^2 / count   where sum = count * whole + rest */
uint64_t deviation_of(uint64_t count, uint64_t sum, uint128 squares)
{
    if (count == 0)
        return 0;
    uint64_t whole = sum / count, rest = sum % count;
    uint128 even = (uint128)sum * whole, odd = (uint128)whole * rest, spread = squares - even;
    if (squares < even || spread < odd)
        return 0;
    spread -= odd;
    uint128 part = (uint128)rest * rest / count, variance = (spread > part ? spread - part : 0) / count;
    uint64_t r = root(variance);
    return variance - (uint128)r * r > r && r < UINT64_MAX ? r + 1 : r;
}
