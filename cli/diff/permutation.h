/* The permutation test of two samples. If nothing but chance had put each value into its sample, any other way to put them would
 * be as likely: how many of all those ways part the samples as far as they are apart? What is compared is the sum of ranks (Wilcoxon
 * 1945, Mann and Whitney 1947; equal values share the mean of their ranks), so that one capture that was disturbed cannot decide, and
 * nothing is supposed of how values lie. No I/O, no globals; the same values give the same result. */
#ifndef TSCAP_PERMUTATION_H
#define TSCAP_PERMUTATION_H

#include <stdbool.h>
#include <stddef.h>

#define PERMUTATION_EXACT 64     /* values in both samples up to which all ways are counted; beyond, */
#define PERMUTATION_TRIALS 19999 /* so many are drawn, by a generator that always begins alike */

struct permutation {
    double greater; /* p: that the ranks of `b` sum to as much or more by chance, 0 .. 1 */
    double less;    /* p: to as much or less */
};

/* Values of `a` and `b`, at least one each, none of them NaN. False: no memory. */
bool permutation_test(struct permutation *result, const double *a, size_t a_count, const double *b, size_t b_count);

/* The least p that samples of these sizes can give. */
double permutation_least(size_t a_count, size_t b_count);

/* The least size of both samples with which a p of at most this, above 0, can be had. */
size_t permutation_enough(double p);

#endif
