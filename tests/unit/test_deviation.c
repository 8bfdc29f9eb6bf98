/* Standard deviations out of sums, against the definition, and out of sums that cannot be. */
#include <criterion/criterion.h>

#include "../support/random.h"
#include "deviation.h"

struct sums {
    uint64_t count, sum;
    uint128 squares;
};

static struct sums sums_of(const uint64_t *value, uint64_t count)
{
    struct sums s = {.count = count};
    for (uint64_t i = 0; i < count; i++) {
        s.sum += value[i];
        s.squares += (uint128)value[i] * value[i];
    }
    return s;
}

static uint64_t deviation(const uint64_t *value, uint64_t count)
{
    struct sums s = sums_of(value, count);
    return deviation_of(s.count, s.sum, s.squares);
}

/* Its square is the mean of the squares of how far each is from the mean. */
static long double variance(const uint64_t *value, uint64_t count)
{
    long double mean = 0, sum = 0;
    for (uint64_t i = 0; i < count; i++)
        mean += (long double)value[i] / (long double)count;
    for (uint64_t i = 0; i < count; i++)
        sum += ((long double)value[i] - mean) * ((long double)value[i] - mean);
    return sum / (long double)count;
}

Test(deviation, of_few_worked_out_by_hand)
{
    cr_expect_eq(deviation((uint64_t[]){5}, 1), 0);
    cr_expect_eq(deviation((uint64_t[]){7, 7, 7}, 3), 0);
    cr_expect_eq(deviation((uint64_t[]){2, 4, 4, 4, 5, 5, 7, 9}, 8), 2);
    cr_expect_eq(deviation((uint64_t[]){0, 1000}, 2), 500);
    cr_expect_eq(deviation((uint64_t[]){1, 1, 1, 2}, 4), 0);
}

Test(deviation, of_none_is_none) { cr_expect_eq(deviation_of(0, 0, 0), 0); }

/* A day of ticks, a few apart: nothing is left of them in a floating-point number of the squares. */
Test(deviation, small_differences_of_large_values_count)
{
    const uint64_t day = 86400ull * 3000000000u;
    cr_expect_eq(deviation((uint64_t[]){day, day + 6}, 2), 3);
    cr_expect_eq(deviation((uint64_t[]){day + 2, day + 4, day + 4, day + 4, day + 5, day + 5, day + 7, day + 9}, 8), 2);
}

Test(deviation, of_many_as_defined)
{
    enum { MOST = 500 };
    uint64_t value[MOST];
    struct random r = random_seeded(1);
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t count = 1 + random_below(&r, MOST), base = random_below(&r, 2000000000);
        for (uint64_t i = 0; i < count; i++)
            value[i] = base + random_below(&r, 1 + (1u << round % 30));
        long double got = (long double)deviation(value, count), exact = variance(value, count);
        cr_assert((got - 1) * (got > 0 ? got - 1 : 0) <= exact && exact <= (got + 1) * (got + 1), "%u", round);
    }
}

/* What a hostile segment may say: an answer, and in time. */
Test(deviation, of_sums_that_cannot_be)
{
    const uint64_t odd[] = {0, 1, 2, 3, 1ull << 32, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
    enum { ODD = sizeof odd / sizeof *odd };
    for (unsigned i = 0; i < ODD * ODD * ODD * ODD; i++) {
        uint64_t count = odd[i % ODD], sum = odd[i / ODD % ODD];
        uint128 squares = (uint128)odd[i / ODD / ODD % ODD] << 64 | odd[i / ODD / ODD / ODD];
        uint128 d = deviation_of(count, sum, squares);
        cr_expect(d == 0 || (d - 1) * (d - 1) <= squares, "no more than all squares for one");
    }
    cr_expect_eq(deviation_of(3, 30, 1), 0, "squares that are less than the mean's");
    cr_expect_eq(deviation_of(1, 0, (uint128)UINT64_MAX << 64 | UINT64_MAX), UINT64_MAX);
}
