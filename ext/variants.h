/* Variants: the sites of one function that differ by the label of their calls (labels.h); in the segment each says whose variant it
 * is. With the interpreter's lock. */
#ifndef TSCAP_VARIANTS_H
#define TSCAP_VARIANTS_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)
extern bool variants_known; /* there are some */
#pragma GCC visibility pop

/* The site for calls of a function's site under a label, which is not 0. The site itself: there is no room for another, which has been
 * counted. */
uint32_t variants_site(uint32_t function, uint32_t label);

/* The function's site, of a variant; of any other site, itself. */
uint32_t variants_function_slow(uint32_t site);
static inline uint32_t variants_function(uint32_t site) { return __builtin_expect(variants_known, 0) ? variants_function_slow(site) : site; }

uint32_t variants_label(uint32_t site); /* 0: it is no variant */

void variants_forget(void); /* the segment goes, and with it all numbers of sites */

#endif
