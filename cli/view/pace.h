/* Pace: when to look again, for who looks for as long as it takes. Looks are rarer and rarer, so that their number grows as the
 * logarithm of the time: 155 in an hour, 220 in a day; and what they take is a twentieth of a CPU at most. */
#ifndef TSCAP_PACE_H
#define TSCAP_PACE_H

#include <stdint.h>

struct pace {
    uint64_t began, due; /* CLOCK_MONOTONIC, ns */
};

void pace_begin(struct pace *p, uint64_t now);

/* A look that began then is over now. */
void pace_go_on(struct pace *p, uint64_t look_began, uint64_t now);

#endif
