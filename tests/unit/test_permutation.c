#include <criterion/criterion.h>
#include <math.h>

#include "permutation.h"

#define CLOSE(a, b) cr_expect(fabs((a) - (b)) <= 1e-12, "%.17g is not %.17g", (double)(a), (double)(b))

static struct permutation test(const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct permutation p;
    cr_assert(permutation_test(&p, a, a_count, b, b_count));
    return p;
}

static double choose(unsigned n, unsigned k)
{
    double ways = 1;
    for (unsigned i = 1; i <= k; i++)
        ways = ways * (n - k + i) / i;
    return ways;
}

Test(permutation, samples_apart_have_one_of_all_ways)
{
    double a[32], b[32];
    for (unsigned n = 1; n <= 32; n++) {
        for (unsigned i = 0; i < n; i++) {
            a[i] = i;
            b[i] = 1000 + i;
        }
        struct permutation p = test(a, n, b, n);
        CLOSE(p.greater * choose(2 * n, n), 1);
        CLOSE(p.less, 1);
        CLOSE(p.greater, permutation_least(n, n));
        p = test(b, n, a, n);
        CLOSE(p.less * choose(2 * n, n), 1);
        CLOSE(p.greater, 1);
    }
}

/* Ways to choose `k` of `n` values of which the sum of ranks is as it is or more, by trying each. */
static void try_each(const double *all, unsigned n, unsigned k, struct permutation *p)
{
    double observed = 0, more = 0, less = 0, ways = 0, rank[16];
    for (unsigned i = 0; i < n; i++) {
        unsigned below = 0, same = 0;
        for (unsigned j = 0; j < n; j++) {
            below += all[j] < all[i];
            same += all[j] == all[i];
        }
        rank[i] = below + (same + 1) / 2.0;
        observed += i >= n - k ? rank[i] : 0;
    }
    for (unsigned set = 0; set < 1u << n; set++) {
        double sum = 0;
        if ((unsigned)__builtin_popcount(set) != k)
            continue;
        for (unsigned i = 0; i < n; i++)
            sum += set >> i & 1 ? rank[i] : 0;
        ways++;
        more += sum >= observed;
        less += sum <= observed;
    }
    *p = (struct permutation){more / ways, less / ways};
}

Test(permutation, it_counts_what_trying_each_way_finds)
{
    static const double all[][10] = {
        {3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
        {2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, {1, 1, 1, 2, 2, 2, 2, 1, 3, 0},
        {-1, 1e300, 0, -1e300, 5, INFINITY, 1, 2, 3, 4},
    };
    for (unsigned row = 0; row < sizeof all / sizeof *all; row++)
        for (unsigned b = 1; b < 10; b++) {
            struct permutation expected, found = test(all[row], 10 - b, all[row] + 10 - b, b);
            try_each(all[row], 10, b, &expected);
            CLOSE(found.greater, expected.greater);
            CLOSE(found.less, expected.less);
        }
}

/* U of 4 and 5 in the tables of Mann and Whitney (1947): P(U <= 2) = 4/126, P(U <= 3) = 7/126. */
Test(permutation, it_agrees_with_the_published_table)
{
    const double a[] = {1, 2, 3, 6}, b[] = {4, 5, 7, 8, 9}, c[] = {1, 2, 3, 7};
    CLOSE(test(a, 4, b, 5).greater, 4 / 126.0);
    const double d[] = {4, 5, 6, 8, 9};
    CLOSE(test(c, 4, d, 5).greater, 7 / 126.0);
}

Test(permutation, all_alike_says_nothing)
{
    const double same[6] = {7, 7, 7, 7, 7, 7};
    struct permutation p = test(same, 3, same + 3, 3);
    CLOSE(p.greater, 1);
    CLOSE(p.less, 1);
}

/* Of 40 and 40 values, too many to count all ways: U is 1039, by the normal approximation that or more comes in 0.011 of cases. */
Test(permutation, what_is_drawn_comes_close_and_is_always_the_same)
{
    enum { N = 40 };
    double a[N], b[N];
    for (unsigned i = 0; i < N; i++) {
        a[i] = 2 * i;
        b[i] = 2 * i + 13;
    }
    struct permutation p = test(a, N, b, N), again = test(a, N, b, N);
    cr_expect(fabs(p.greater - 0.01087) < 0.006, "%g", p.greater);
    cr_expect_eq(p.greater, again.greater);
    cr_expect(p.greater + p.less > 1);
    for (unsigned i = 0; i < N; i++)
        b[i] += 1000;
    CLOSE(test(a, N, b, N).greater, 1.0 / (1 + PERMUTATION_TRIALS));
    CLOSE(permutation_least(N, N), 1.0 / (1 + PERMUTATION_TRIALS));
}

/* Of 100 values and one there are 101 ways, so that no p is less than 1 in 101: neither what is drawn, but for its error, nor what is
 * said of it. */
Test(permutation, few_ways_stay_few_where_they_are_drawn)
{
    double a[100], b[1] = {1000};
    for (unsigned i = 0; i < 100; i++)
        a[i] = i;
    CLOSE(permutation_least(100, 1), 1.0 / 101);
    CLOSE(permutation_least(1, 100), 1.0 / 101);
    cr_expect(fabs(test(a, 100, b, 1).greater - 1.0 / 101) < 0.003);
    CLOSE(permutation_least(1000, 1000), 1.0 / (1 + PERMUTATION_TRIALS));
}

Test(permutation, it_says_how_many_it_takes)
{
    cr_expect_eq(permutation_enough(1), 1);
    cr_expect_eq(permutation_enough(0.5), 1);
    cr_expect_eq(permutation_enough(0.05), 3, "1 of 20");
    cr_expect_eq(permutation_enough(0.05 / 25), 6, "1 of 924");
    cr_expect_eq(permutation_enough(0.05 / 100), 7, "1 of 3432");
    for (size_t n = 2; n <= 32; n++)
        cr_expect_eq(permutation_enough(permutation_least(n, n)), n);
}
