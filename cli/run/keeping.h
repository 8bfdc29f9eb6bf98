/* Keeping: while a program that we started runs, what it has recorded so far goes to the file now and then, for tscap may be killed. */
#ifndef TSCAP_KEEPING_H
#define TSCAP_KEEPING_H

#include <stdbool.h>
#include <stdint.h>

#include "pace.h"
#include "source.h"

struct saving;
struct startup;

struct keeping {
    const struct settings *settings; /* (borrowed) so is: */
    struct saving *saving;
    struct pace pace;
    struct places places;
    struct source source; /* of the first process, from when it has come */
    uint32_t breaks;      /* of it, in the last look */
    bool found, placed;   /* there is a source; the places are open */
    bool over;            /* it cannot be kept: why is told in the end */
    bool writes;          /* else the process is only found */
};

void keeping_open(struct keeping *k, const struct settings *s, struct saving *saving, bool writes);
void keeping_free(struct keeping *k);

/* Looks if it is time. After how many ns again? */
uint64_t keeping_go_on(struct keeping *k, const struct startup *startup);

/* The first process, once it has come; NULL: it has not. */
const struct subject *keeping_subject(const struct keeping *k);

/* What has been looked at so far, if it is that process: numbers of functions in the file are this source's. NULL: it is not;
 * then what comes next is written to the file alone. */
struct source *keeping_source(struct keeping *k, const struct subject *of);

#endif
