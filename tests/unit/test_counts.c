#include <criterion/criterion.h>

#include "counts.h"

#include "../support/random.h"

static struct counts counts;

static void init(void) { cr_assert(counts_init(&counts)); }
static void fini(void) { counts_free(&counts); }
TestSuite(counts, .init = init, .fini = fini);

static void check(uint64_t key, uint32_t expected)
{
    cr_assert_eq(counts_get(&counts, key), expected, "key %llx is at %u", (unsigned long long)key, counts_get(&counts, key));
}

Test(counts, begin_at_zero)
{
    check(1, 0);
    check(UINT64_MAX, 0);
    counts_decrement(&counts, 1);
    check(1, 0);
}

Test(counts, up_and_down_and_never_below_zero)
{
    cr_expect(counts_increment(&counts, 5));
    cr_expect(counts_increment(&counts, 5));
    check(5, 2);
    check(6, 0);
    counts_decrement(&counts, 5);
    check(5, 1);
    counts_decrement(&counts, 5);
    counts_decrement(&counts, 5);
    check(5, 0);
}

Test(counts, set)
{
    cr_expect(counts_set(&counts, UINT64_MAX, UINT32_MAX));
    check(UINT64_MAX, UINT32_MAX);
    cr_expect(counts_set(&counts, UINT64_MAX, 3));
    check(UINT64_MAX, 3);
    cr_expect(counts_set(&counts, UINT64_MAX, 0));
    check(UINT64_MAX, 0);
}

/* As for pairs: neighbours in both halves. */
static uint64_t key_of(uint32_t i) { return (uint64_t)(i / 100 + 1) << 32 | i % 100; }

Test(counts, many_keys)
{
    enum { MANY = 100000 };
    for (uint32_t i = 0; i < MANY; i++)
        cr_assert(counts_set(&counts, key_of(i), i + 1));
    for (uint32_t i = 0; i < MANY; i++)
        check(key_of(i), i + 1);
    check(key_of(MANY), 0);
    cr_expect_eq(counts.used, MANY);
    cr_expect_leq(counts.used, counts.room / 4 * 3);
}

/* Keys that come and go, until those at 0 are left behind. How many it took. */
static uint32_t come_and_go(void)
{
    uint32_t i = 0;
    for (uint32_t used = 0; used <= counts.used; i++) {
        used = counts.used;
        cr_assert(counts_increment(&counts, key_of(i)));
        if (used <= counts.used)
            counts_decrement(&counts, key_of(i));
    }
    return i;
}

Test(counts, keys_at_zero_are_left_behind)
{
    cr_assert(counts_set(&counts, UINT64_MAX, 7));
    uint32_t last = come_and_go() - 1;
    cr_expect_gt(last, 100);
    cr_expect_eq(counts.used, 2, "the first and the last of %u", last);
    check(UINT64_MAX, 7);
    check(key_of(last), 1);
    check(key_of(last - 1), 0);
}

Test(counts, against_an_array)
{
    enum { KEYS = 5000, STEPS = 500000 };
    static uint32_t expected[KEYS];
    struct random random = random_seeded(2);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t i = random_below(&random, KEYS);
        if (random_chance(&random, 50)) {
            cr_assert(counts_increment(&counts, key_of(i)));
            expected[i]++;
        } else {
            counts_decrement(&counts, key_of(i));
            expected[i] -= expected[i] > 0;
        }
        check(key_of(i), expected[i]);
    }
    for (uint32_t i = 0; i < KEYS; i++)
        check(key_of(i), expected[i]);
}

Test(counts, free_leaves_nothing)
{
    counts_free(&counts);
    cr_expect_null(counts.key);
    cr_expect_null(counts.count);
    cr_expect_eq(counts.room, 0);
}
