/* The order of children in the trees of a profile. For who makes one. */
#ifndef TSCAP_SIBLINGS_H
#define TSCAP_SIBLINGS_H

#include "profile.h"

/* A list of siblings, by inclusive time, falling, then by index: its new head. */
uint32_t siblings_sort(struct profile *p, uint32_t head);

#endif
