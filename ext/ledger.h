/* What a collector adds up, and which collectors enclose a call.
 *
 * A call is enclosed by a chain of ledgers, innermost first. Chains share their outer parts, and whoever notes one keeps
 * it; a ledger goes when its collector and all chains with it have gone. All under the interpreter's lock.
 *
 *   with a:          chain (a)
 *       with b:      chain (b) -> (a)
 *           f()      one call each in the ledgers of b and a */
#ifndef TSCAP_LEDGER_H
#define TSCAP_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "tape.h"

struct ledger_sum {
    uint32_t site; /* the first of its name */
    uint32_t order; /* in which first calls ended; 0: none did */
    uint64_t calls, inclusive, exclusive; /* ticks; a recursive function's inclusive time is that of its outermost calls */
    uint64_t min, max; /* of one call that ended */
    uint64_t elapsed;  /* inclusive, and what outermost calls waited until they went on */
    uint64_t elapsed_min, elapsed_max; /* of one call that ended: from its first start to its return */
};

struct chain;

struct ledger {
    struct ledger_sum *sum; /* [count], in the order of first calls */
    uint32_t count, room;
    uint32_t *index; /* hash of sites -> 1 + place in `sum` */
    uint32_t mask;
    struct chain *chains; /* all with this ledger in front; the first is kept though nobody refers to it */
    bool owned;           /* by a collector */
    bool complete;
    uint32_t number;      /* of the stay: chains with another one are of a stay that has ended */
    uint64_t first, last; /* ticks: from its first call's beginning to its last call's end */
    uint32_t ended;       /* sums of which a call ended */
    struct tape tape;
};

struct chain {
    struct ledger *ledger;
    struct chain *outer; /* kept */
    struct chain *next;  /* of the same ledger */
    uint32_t users, number;
};

struct ledger *ledger_new(void);          /* NULL: no memory */
void ledger_disown(struct ledger *l);     /* its collector is gone */
void ledger_clear(struct ledger *l);      /* it has nothing of what it had */
void ledger_next_stay(struct ledger *l);  /* what is enclosed now is not of it any more */

struct ledger_sum *ledger_sum_of(struct ledger *l, uint32_t site); /* NULL: no memory, so it is not complete */

/* `ledger` within `outer`, borrowed: to be kept at once. NULL: no memory, so it is not complete. */
struct chain *chain_link(struct ledger *ledger, struct chain *outer);
struct chain *chain_keep(struct chain *c);
void chain_drop(struct chain *c);
bool chain_has(const struct chain *c, const struct ledger *l); /* and its stay goes on */

static inline bool chain_is_live(const struct chain *c) { return c->number == c->ledger->number; }

/* The innermost one whose stay goes on; NULL: none. */
static inline struct chain *chain_live(struct chain *c)
{
    while (c && !chain_is_live(c))
        c = c->outer;
    return c;
}

/* A call begins that the chain encloses. */
void chain_count(struct chain *c, uint32_t site, uint64_t now);

/* A stretch of a call, that ended now. */
struct ledger_stretch {
    uint32_t site;
    uint64_t now;
    uint64_t took, own;         /* own: less the calls directly below */
    const struct chain *around; /* of the innermost call of the same site that is open; NULL: none */
    bool ends;                  /* the call does, and all of it is known: */
    uint64_t ran, waited;
};
void chain_add(struct chain *c, const struct ledger_stretch *x);

/* A call goes on that has waited. `around` as above. */
void chain_waited(struct chain *c, uint32_t site, uint64_t ticks, const struct chain *around);

/* Something of what the chain encloses is not known. */
void chain_incomplete(struct chain *c);

#endif
