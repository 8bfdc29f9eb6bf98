#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "recorder.h"

static bool make_room(struct thread *t)
{
    struct accounts *a = &t->accounts;
    if (a->room == t->room)
        return true;
    struct account *more = realloc(a->at, t->room * sizeof *more);
    if (!more)
        return false;
    memset(more + a->room, 0, (t->room - a->room) * sizeof *more);
    a->at = more;
    a->room = t->room;
    return true;
}

static bool know_site(struct accounts *a, uint32_t site)
{
    if (site < a->sites)
        return true;
    uint32_t sites = site + 64 > 2 * a->sites ? site + 64 : 2 * a->sites;
    uint32_t *more = realloc(a->innermost, sites * sizeof *more);
    if (!more)
        return false;
    memset(more + a->sites, 0, (sites - a->sites) * sizeof *more);
    a->innermost = more;
    a->sites = sites;
    return true;
}

static uint32_t site_at(const struct thread *t, uint32_t depth) { return (uint32_t)t->open[depth].what; }

static void set_chain(struct account *a, struct chain *chain)
{
    struct chain *old = a->chain;
    a->chain = chain_keep(chain);
    chain_drop(old);
}

struct account *account_begin(struct thread *t, struct chain *chain, bool counts)
{
    uint32_t depth = t->writer->depth, site = site_at(t, depth);
    if (!make_room(t) || !know_site(&t->accounts, site)) {
        chain_incomplete(chain);
        return NULL;
    }
    uint64_t now = writer_time(t->writer);
    struct account *a = &t->accounts.at[depth];
    set_chain(a, chain);
    a->begin = now;
    a->children = a->key = 0;
    a->around = t->accounts.innermost[site];
    t->accounts.innermost[site] = depth;
    if (counts)
        chain_count(chain, site, now);
    return a;
}

/* The chain of the innermost open call of the same site. What is noted may be out of date: it counts if it still is one. */
static const struct chain *chain_around(const struct thread *t, uint32_t depth)
{
    uint32_t around = t->accounts.at[depth].around;
    return around && around < depth && site_at(t, around) == site_at(t, depth) ? t->accounts.at[around].chain : NULL;
}

static void pass_on(struct thread *t, uint32_t depth, uint64_t ticks)
{
    if (depth > 1)
        t->accounts.at[depth - 1].children += ticks;
}

static void end_at(struct thread *t, uint32_t depth, uint64_t now)
{
    struct account *a = &t->accounts.at[depth];
    if (depth >= t->accounts.room || !a->chain)
        return;
    uint64_t elapsed = now > a->begin ? now - a->begin : 0;
    uint64_t own = elapsed > a->children ? elapsed - a->children : 0;
    chain_add(a->chain, site_at(t, depth), elapsed, own, now, chain_around(t, depth));
    t->accounts.innermost[site_at(t, depth)] = a->around;
    a->children = 0;
    set_chain(a, NULL);
    pass_on(t, depth, elapsed);
}

void account_end(struct thread *t, uint32_t depth) { end_at(t, depth, writer_time(t->writer)); }

/* Its time until the next call above it is its own and its callees'; what comes later is theirs alone. */
void account_end_below(struct thread *t, uint32_t depth)
{
    bool known = depth + 1 < t->accounts.room && t->accounts.at[depth + 1].chain;
    end_at(t, depth, known ? t->accounts.at[depth + 1].begin : writer_time(t->writer));
}

void account_drop(struct thread *t, uint32_t depth)
{
    if (depth < t->accounts.room)
        pass_on(t, depth, t->accounts.at[depth].children);
}

void account_cut(struct thread *t)
{
    for (uint32_t depth = 1; depth < t->accounts.room; depth++) {
        struct account *a = &t->accounts.at[depth];
        chain_incomplete(a->chain);
        set_chain(a, NULL);
    }
}

struct chain *account_chain(const struct thread *t, uint32_t depth)
{
    return depth < t->accounts.room ? t->accounts.at[depth].chain : NULL;
}

void account_free(struct accounts *a)
{
    free(a->at);
    free(a->innermost);
}
