#include "histogram.h"

uint64_t histogram_value(unsigned exponent, unsigned step)
{
    if (exponent == 0)
        return step;
    uint64_t width = 1ull << (exponent - 1);
    return (HISTOGRAM_STEPS + step) * width + width / 2;
}

void histogram_add(struct histogram *h, unsigned exponent, unsigned step, uint64_t times)
{
    h->count[exponent][step] += times;
    h->total += times;
}

uint64_t histogram_quantile(const struct histogram *h, double fraction)
{
    if (h->total == 0)
        return 0;
    uint64_t rank = (uint64_t)(fraction * (double)h->total);
    if ((double)rank < fraction * (double)h->total || rank == 0)
        rank++; /* nearest rank: the smallest that covers the fraction */
    uint64_t seen = 0;
    for (unsigned e = 0; e < HISTOGRAM_EXPONENTS; e++)
        for (unsigned s = 0; s < HISTOGRAM_STEPS; s++) {
            seen += h->count[e][s];
            if (seen >= rank)
                return histogram_value(e, s);
        }
    return histogram_value(HISTOGRAM_EXPONENTS - 1, HISTOGRAM_STEPS - 1);
}
