#include <criterion/criterion.h>
#include <math.h>

#include "discoveries.h"

enum { MOST = 20 };

static void check(const double *p, const double *expected, size_t count)
{
    double q[MOST];
    cr_assert(discoveries_adjust(q, p, count));
    for (size_t i = 0; i < count; i++)
        cr_expect(fabs(q[i] - expected[i]) < 5e-7, "%zu: %.7f is not %.7f", i, q[i], expected[i]);
}

/* Benjamini and Hochberg (1995), section 3.2: at 5 % the first four of these fifteen are discoveries. */
Test(discoveries, the_authors_example)
{
    const double p[15] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298,
                          0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    double q[15];
    cr_assert(discoveries_adjust(q, p, 15));
    for (size_t i = 0; i < 15; i++)
        cr_expect_eq(q[i] <= 0.05, i < 4, "%zu: %g", i, q[i]);
}

Test(discoveries, by_hand)
{
    check((const double[]){0.01, 0.02, 0.03, 0.04}, (const double[]){0.04, 0.04, 0.04, 0.04}, 4);
    check((const double[]){0.9, 0.01, 0.5, 0.2}, (const double[]){0.9, 0.04, 0.5 * 4 / 3, 0.4}, 4);
    check((const double[]){0.5}, (const double[]){0.5}, 1);
    check((const double[]){1, 1, 1}, (const double[]){1, 1, 1}, 3);
    check((const double[]){0.03, 0.03}, (const double[]){0.03, 0.03}, 2);
}

Test(discoveries, none_of_none) { cr_expect(discoveries_adjust(NULL, NULL, 0)); }
