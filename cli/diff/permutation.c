#include "permutation.h"

#include <stdint.h>
#include <stdlib.h>

/* Twice the ranks of all values, those of `a` first: means of ranks are whole numbers so. */
struct ranks {
    uint32_t *rank;
    size_t count, of_a;
};

struct value {
    double value;
    size_t place;
};

static int compare_values(const void *x, const void *y)
{
    const struct value *a = x, *b = y;
    return (a->value > b->value) - (a->value < b->value);
}

/* From 1 on; equal ones from rank i + 1 to rank k have the mean of these. */
static void give_ranks(struct ranks *r, struct value *v)
{
    qsort(v, r->count, sizeof *v, compare_values);
    for (size_t i = 0, k; i < r->count; i = k) {
        for (k = i + 1; k < r->count && v[k].value == v[i].value; k++)
            ;
        for (size_t j = i; j < k; j++)
            r->rank[v[j].place] = (uint32_t)(i + 1 + k);
    }
}

static bool make_ranks(struct ranks *r, const double *a, size_t a_count, const double *b, size_t b_count)
{
    *r = (struct ranks){.count = a_count + b_count, .of_a = a_count};
    struct value *v = calloc(r->count, sizeof *v);
    r->rank = calloc(r->count, sizeof *r->rank);
    for (size_t i = 0; v && i < r->count; i++)
        v[i] = (struct value){i < a_count ? a[i] : b[i - a_count], i};
    bool made = v && r->rank;
    if (made)
        give_ranks(r, v);
    free(v);
    return made;
}

static uint64_t sum_of(const uint32_t *rank, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += rank[i];
    return sum;
}

/* ---- all ways, counted ---- */

/* ways[k * (most + 1) + s]: to choose k of the ranks so that they sum to s. No count reaches 2^64: C(64, 32) is less than 2^61. */
static void count_ways(uint64_t *ways, const struct ranks *r, size_t chosen, uint64_t most)
{
    ways[0] = 1;
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = i + 1 < chosen ? i + 1 : chosen; k > 0; k--)
            for (uint64_t s = r->rank[i]; s <= most; s++)
                ways[k * (most + 1) + s] += ways[(k - 1) * (most + 1) + s - r->rank[i]];
}

static bool count_all(struct permutation *p, const struct ranks *r)
{
    uint64_t most = sum_of(r->rank, r->count), observed = sum_of(r->rank + r->of_a, r->count - r->of_a);
    size_t chosen = r->count - r->of_a;
    uint64_t *ways = calloc((chosen + 1) * (most + 1), sizeof *ways);
    double all = 0, greater = 0, less = 0;
    if (!ways)
        return false;
    count_ways(ways, r, chosen, most);
    for (uint64_t s = 0; s <= most; s++) {
        double n = (double)ways[chosen * (most + 1) + s];
        all += n;
        greater += s >= observed ? n : 0;
        less += s <= observed ? n : 0;
    }
    *p = (struct permutation){greater / all, less / all};
    free(ways);
    return true;
}

/* ---- some ways, drawn ---- */

/* xorshift64* (Vigna 2016) */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static size_t draw_below(uint64_t *state, size_t n) { return (size_t)((draw(state) >> 32) * n >> 32); }

/* Moves as many ranks as `b` has, each of the left ones as likely, to the front: their sum. */
static uint64_t draw_sum(uint32_t *rank, size_t count, size_t chosen, uint64_t *state)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < chosen; i++) {
        size_t k = i + draw_below(state, count - i);
        uint32_t taken = rank[k];
        rank[k] = rank[i];
        rank[i] = taken;
        sum += taken;
    }
    return sum;
}

/* What was observed counts as one of the ways that were drawn, so that p is never 0 (Phipson and Smyth 2010). */
static void draw_some(struct permutation *p, struct ranks *r)
{
    size_t chosen = r->count - r->of_a;
    uint64_t observed = sum_of(r->rank + r->of_a, chosen), state = 0x9e3779b97f4a7c15ull;
    unsigned greater = 1, less = 1;
    for (unsigned i = 0; i < PERMUTATION_TRIALS; i++) {
        uint64_t sum = draw_sum(r->rank, r->count, chosen, &state);
        greater += sum >= observed;
        less += sum <= observed;
    }
    *p = (struct permutation){greater / (1.0 + PERMUTATION_TRIALS), less / (1.0 + PERMUTATION_TRIALS)};
}

bool permutation_test(struct permutation *result, const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct ranks r;
    bool made = make_ranks(&r, a, a_count, b, b_count);
    if (made && r.count <= PERMUTATION_EXACT)
        made = count_all(result, &r);
    else if (made)
        draw_some(result, &r);
    free(r.rank);
    return made;
}

/* ---- what there are ways for ---- */

/* Of drawn ways it is not less than one of the trials, and of few ways, as for one capture against a hundred, not less than one of
 * them either. */
double permutation_least(size_t a_count, size_t b_count)
{
    double ways = 1, drawn = 1 / (1.0 + PERMUTATION_TRIALS);
    for (size_t i = 1; i <= b_count; i++)
        ways = ways * (double)(a_count + i) / (double)i;
    return a_count + b_count > PERMUTATION_EXACT && 1 / ways < drawn ? drawn : 1 / ways;
}

size_t permutation_enough(double p)
{
    size_t n = 1;
    while (2 * n <= PERMUTATION_EXACT && permutation_least(n, n) > p)
        n++;
    return n;
}
