/* What captures are of and were made with: what has to be the same for a comparison to say what it seems to say. */
#ifndef TSCAP_ABOUT_H
#define TSCAP_ABOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"

#define ABOUT_FACTS 11
#define ABOUT_TEXT 256

struct about {
    char name[ABOUT_TEXT];               /* the operand */
    char fact[ABOUT_FACTS][ABOUT_TEXT];  /* "": not known */
    uint64_t duration;                   /* ns that were recorded */
    uint64_t lost;                       /* calls */
    char *losses;                        /* a line each, "": none; owned. NULL: no memory */
    bool whole;                          /* nothing is known to be missing */
};

void about_make(struct about *a, const char *name, const struct capture *c);
void about_free(struct about *a);

const char *about_fact_name(size_t fact); /* "Python" */

/* Is it the same in all of them, as far as it is known? */
bool about_agree(const struct about *a, size_t count, size_t fact);

/* The values there are, each once: "3.11.7, 3.13.0". */
void about_list(const struct about *a, size_t count, size_t fact, char *buffer, size_t size);

/* Were some recorded for more than twice as long as others? Then totals say little. */
bool about_durations_differ(const struct about *a, size_t count);

#endif
