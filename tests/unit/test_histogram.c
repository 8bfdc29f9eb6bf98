#include <criterion/criterion.h>
#include <stdlib.h>

#include "histogram.h"

#include "../support/random.h"

#define LAST_STEP (HISTOGRAM_STEPS - 1)

/* Where a step begins, from the definition: each power of two is cut into 16. */
static uint64_t step_begin(unsigned exponent, unsigned step)
{
    return exponent == 0 ? step : (1ull << (exponent + 3)) + ((uint64_t)step << (exponent - 1));
}

static void check_place(uint64_t value, unsigned exponent, unsigned step)
{
    unsigned e = histogram_exponent(value), s = histogram_step(value);
    cr_assert(e == exponent && s == step, "%llu is in %u.%u, not in %u.%u", (unsigned long long)value, e, s, exponent, step);
}

Test(histogram, every_step_begins_and_ends_where_its_neighbours_do)
{
    unsigned last_exponent = 0, last_step = 0;
    for (unsigned e = 0; e < HISTOGRAM_EXPONENTS; e++)
        for (unsigned s = 0; s < HISTOGRAM_STEPS; s++) {
            check_place(step_begin(e, s), e, s);
            if (e || s)
                check_place(step_begin(e, s) - 1, last_exponent, last_step);
            last_exponent = e;
            last_step = s;
        }
    check_place(UINT64_MAX, HISTOGRAM_EXPONENTS - 1, LAST_STEP);
}

/* 32 |value - read| <= value without running over. */
static void check_bound(uint64_t value)
{
    unsigned e = histogram_exponent(value), s = histogram_step(value);
    cr_assert(e < HISTOGRAM_EXPONENTS && s < HISTOGRAM_STEPS);
    uint64_t read = histogram_value(e, s), error = read > value ? read - value : value - read;
    cr_assert(error <= value / 32, "%llu is read back as %llu", (unsigned long long)value, (unsigned long long)read);
    check_place(read, e, s);
}

Test(histogram, powers_of_two_and_their_neighbours_are_read_back_within_the_bound)
{
    for (unsigned k = 0; k < 64; k++) {
        check_bound((1ull << k) - 1);
        check_bound(1ull << k);
        check_bound((1ull << k) + 1);
    }
    check_bound(UINT64_MAX);
}

static uint64_t random_magnitude(struct random *r) { return random_next(r) >> random_below(r, 64); }

Test(histogram, any_value_is_read_back_within_the_bound)
{
    struct random random = random_seeded(3);
    for (int i = 0; i < 200000; i++)
        check_bound(random_magnitude(&random));
}

Test(histogram, small_values_are_exact)
{
    for (uint64_t value = 0; value < 2 * HISTOGRAM_STEPS; value++) {
        unsigned e = histogram_exponent(value);
        cr_expect_eq(histogram_value(e, histogram_step(value)), value);
    }
}

/* ---- quantiles ---- */

static uint64_t rounded(uint64_t value)
{
    unsigned e = histogram_exponent(value);
    return histogram_value(e, histogram_step(value));
}

static void add(struct histogram *h, uint64_t value)
{
    unsigned e = histogram_exponent(value);
    histogram_add(h, e, histogram_step(value), 1);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank: the first of the sorted values up to which at least that many thousandths lie. */
static void check_quantiles(const struct histogram *h, const uint64_t *sorted, size_t count)
{
    static const unsigned thousandths[] = {0, 1, 50, 100, 250, 500, 750, 900, 950, 990, 999, 1000};
    for (size_t i = 0; i < sizeof thousandths / sizeof *thousandths; i++) {
        size_t rank = (thousandths[i] * count + 999) / 1000;
        uint64_t expected = rounded(sorted[rank ? rank - 1 : 0]), got = histogram_quantile(h, thousandths[i] / 1000.0);
        cr_expect_eq(got, expected, "%u / 1000 of %zu: %llu, expected %llu", thousandths[i], count, (unsigned long long)got,
                     (unsigned long long)expected);
    }
}

static void check_random_values(struct random *random, size_t count)
{
    struct histogram h = {0};
    uint64_t *value = calloc(count, sizeof *value);
    for (size_t i = 0; i < count; i++) {
        value[i] = random_magnitude(random);
        add(&h, value[i]);
    }
    cr_expect_eq(h.total, count);
    qsort(value, count, sizeof *value, compare);
    check_quantiles(&h, value, count);
    free(value);
}

Test(histogram, quantiles_are_those_of_the_sorted_values)
{
    struct random random = random_seeded(4);
    for (size_t count = 1; count <= 200; count++)
        check_random_values(&random, count);
    check_random_values(&random, 1000);
    check_random_values(&random, 100000);
}

Test(histogram, an_empty_one_has_no_quantiles)
{
    struct histogram h = {0};
    cr_expect_eq(histogram_quantile(&h, 0.5), 0);
    cr_expect_eq(histogram_quantile(&h, 1.0), 0);
}

Test(histogram, times_count_as_often)
{
    struct histogram h = {0};
    histogram_add(&h, 0, 3, 989);
    histogram_add(&h, 0, 5, 10);
    histogram_add(&h, HISTOGRAM_EXPONENTS - 1, LAST_STEP, 1);
    cr_expect_eq(h.total, 1000);
    cr_expect_eq(histogram_quantile(&h, 0.5), 3);
    cr_expect_eq(histogram_quantile(&h, 0.99), 5);
    cr_expect_eq(histogram_quantile(&h, 0.999), 5);
    cr_expect_eq(histogram_quantile(&h, 1.0), rounded(UINT64_MAX));
}
