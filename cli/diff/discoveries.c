#include "discoveries.h"

#include <stdlib.h>

static int compare_p(const void *x, const void *y)
{
    const double *a = *(const double *const *)x, *b = *(const double *const *)y;
    return (*a > *b) - (*a < *b);
}

/* The n-th of N in rising order is p * N / n, but no more than what a greater one comes to. */
bool discoveries_adjust(double *q, const double *p, size_t count)
{
    const double **order = calloc(count + 1, sizeof *order);
    double least = 1;
    if (!order)
        return false;
    for (size_t i = 0; i < count; i++)
        order[i] = &p[i];
    qsort(order, count, sizeof *order, compare_p);
    for (size_t n = count; n > 0; n--) {
        double adjusted = *order[n - 1] * (double)count / (double)n;
        least = adjusted < least ? adjusted : least;
        q[order[n - 1] - p] = least;
    }
    free(order);
    return true;
}
