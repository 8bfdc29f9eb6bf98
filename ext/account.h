/* What the open calls of a thread have taken so far, for the collectors that enclose them. Beside the stack of open calls,
 * made when a collector is first about; a thread without one never looks at it. */
#ifndef TSCAP_ACCOUNT_H
#define TSCAP_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"

struct thread;

struct account {
    struct chain *chain; /* kept; NULL: no collector encloses the call */
    uint64_t begin;      /* ticks, when it began or was resumed */
    uint64_t children;   /* ticks of the calls directly below */
    uint64_t key;        /* of a block that may be suspended with its collector; 0: none */
    uint64_t carried;    /* ticks that it ran before it was resumed */
    uint64_t waited;     /* ticks that it has waited */
    uint32_t activation; /* number of a call that has waited; 0: it has not */
    uint32_t around;     /* depth of the innermost call of the same name that is open, or what once was one */
    uint32_t level;      /* calls below it that the innermost collector of its chain encloses */
    bool partial;        /* it began before anybody looked */
    bool hidden;         /* other consumers want it, collectors do not: its own time is its caller's */
};

struct accounts {
    struct account *at; /* [1 .. depth], room as the stack's */
    uint32_t room;
    uint32_t *innermost; /* site, the first of its name -> depth of its innermost open call, or what once was one */
    uint32_t sites;
};

/* The call on top began, or goes on (`counts` false). NULL: no memory, so the collectors are not complete. */
struct account *account_begin(struct thread *t, struct chain *chain, bool counts);

/* The call at `depth` ended or waits; those above are ended, except where one ends out of order. */
enum account_end { ACCOUNT_RETURNS, ACCOUNT_RAISES, ACCOUNT_WAITS };
void account_end(struct thread *t, uint32_t depth, enum account_end how);
void account_end_below(struct thread *t, uint32_t depth, enum account_end how);
void account_drop(struct thread *t, uint32_t depth); /* the entry of one that did is taken off */

/* What was open is not recorded any more. */
void account_cut(struct thread *t);

struct chain *account_chain(const struct thread *t, uint32_t depth); /* borrowed */
void account_forget(void); /* after a fork: what waited, and what sites are named */
void account_free(struct accounts *a); /* without the interpreter's lock: chains are given up, not dropped */

#endif
