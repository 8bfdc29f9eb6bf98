/* A comparison of two sides, A before and B after: what became of each function and of each path, which of that is more than chance,
 * and the verdict. What is compared is the time of a function's own per call, by the median of a side's captures. No I/O. */
#ifndef TSCAP_COMPARISON_H
#define TSCAP_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tally.h"

#define COMPARISON_SHARE 0.01 /* of the time of all captures: functions that have less are not tested */
#define COMPARISON_THRESHOLD 0.05 /* of what matters: of a change that is smaller nobody says FAIL, unless asked to */
#define COMPARISON_LEVEL 0.05 /* of false discoveries, and so of a FAIL where nothing has changed */

enum outcome {
    OUTCOME_SLOWER, /* more than chance would have it */
    OUTCOME_FASTER,
    OUTCOME_ALIKE,   /* tested: it may be chance */
    OUTCOME_TOO_FEW, /* captures, for a test that could find anything */
    OUTCOME_SMALL,   /* it has too little of the time to be tested */
    OUTCOME_NEW,     /* A has no call of it */
    OUTCOME_GONE,    /* B has none */
    OUTCOMES
};
const char *outcome_name(enum outcome o); /* as in JSON: "slower", "too_few" */

struct change {
    const struct tally_function *function[SIDES]; /* (borrowed) NULL: it is not there */
    enum pairing_by by;                           /* how they were found to be the same */
    size_t captures[SIDES];                       /* that have calls of it */
    double per_call[SIDES];                       /* ns: medians; NaN: none */
    double relative;                              /* of B by A, less 1: 0.2 is 20 % more; infinite: from 0; NaN: none */
    double growth;                                /* ns: of the function's time in a capture, medians */
    double share;                                 /* 0 .. 1: its mean share of the time, of all captures */
    bool tested;
    double p, q; /* that chance makes it that much slower, or faster, whichever is less; q: see discoveries.h */
    double visible; /* slower by so much in B, each capture of B had lain above each of A: 0.1 is 10 % */
    enum outcome outcome;
    bool over; /* slower by more than the threshold: by the test, or where there are too few captures, by what there is */
};

struct path_change {
    uint32_t parent;                      /* index; 0: it begins a thread */
    uint32_t function;                    /* index in `change`; TALLY_OTHER */
    const struct tally_path *path[SIDES]; /* (borrowed) NULL: it is not there */
};

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_INCONCLUSIVE };
const char *verdict_name(enum verdict v); /* "PASS" */

struct comparison {
    const struct tally *side[SIDES]; /* (borrowed) */
    enum quantity metric;            /* exclusive time, or that on a CPU */
    double threshold;                /* 0.1: only what is slower by more than 10 % fails */
    struct change *change;           /* what fails, then what is slower, then the rest; each by growth, falling */
    size_t changes;
    struct path_change *path;        /* [1 .. paths]: callers before callees */
    size_t paths;
    enum verdict verdict;
    size_t tested;                   /* functions */
    size_t of[OUTCOMES];             /* functions */
    size_t over;                     /* functions that are over the threshold */
    double visible[2];               /* what half of those tested would have to be slower by to be found for certain, and what all */
    size_t needed;                   /* captures a side that it takes to test so many functions */
};

/* To be freed in any case. 0 or -ENOMEM. */
int comparison_make(struct comparison *c, const struct tally *a, const struct tally *b, enum quantity metric, double threshold);
void comparison_free(struct comparison *c);

/* A median of a side's captures; those without calls count as 0. TALLY_UNKNOWN: none of them knows it, or it is not there. */
uint64_t comparison_function_median(const struct comparison *c, const struct change *f, enum side side, enum quantity q);
uint64_t comparison_path_median(const struct comparison *c, const struct path_change *p, enum side side, enum quantity q);

/* Of one capture, by the metric: ns; NaN: it has no call of it, or no CPU time. */
double comparison_per_call(const struct comparison *c, const struct tally_function *f, size_t capture);

/* Who it is now, or was. */
static inline const struct identity *change_who(const struct change *f)
{
    return &(f->function[SIDE_B] ? f->function[SIDE_B] : f->function[SIDE_A])->who;
}

#endif
