/* Many tests at a time. Of a hundred functions that nothing happened to, five would be found slower at a level of 5 %; so p values are
 * adjusted, and a function is a discovery if its q is at most the level: then at most that share of all discoveries is false on
 * the average, and where nothing happened to any function, there is one at all in at most that share of cases (Benjamini and
 * Hochberg 1995; it holds for tests that depend on each other positively, too, as those of one machine's noise do: Benjamini and
 * Yekutieli 2001). */
#ifndef TSCAP_DISCOVERIES_H
#define TSCAP_DISCOVERIES_H

#include <stdbool.h>
#include <stddef.h>

/* `q` of each of the `p`, 0 .. 1. False: no memory. */
bool discoveries_adjust(double *q, const double *p, size_t count);

#endif
