#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "naming.h"
#include "recorder.h"
#include "thread.h"

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

/* The first site of its name. */
static uint32_t site_at(const struct thread *t, uint32_t depth) { return naming_first((uint32_t)t->open[depth].what); }

/* ---- what a suspended call ran before: id of its entry -> 1 + ticks, in two halves ---- */

static struct counts low, high;

static void let_wait(const void *id, uint64_t ticks)
{
    bool maps = (low.room || counts_init(&low)) && (high.room || counts_init(&high));
    if (maps && counts_set(&low, (uintptr_t)id, (uint32_t)(ticks + 1)))
        counts_set(&high, (uintptr_t)id, (uint32_t)((ticks + 1) >> 32));
}

/* 1 + ticks; 0: it did not wait, or nobody looked. */
static uint64_t end_waiting(const void *id)
{
    if (!low.room || !high.room || !id)
        return 0;
    uint64_t ticks = counts_get(&low, (uintptr_t)id) | (uint64_t)counts_get(&high, (uintptr_t)id) << 32;
    if (ticks) {
        counts_set(&low, (uintptr_t)id, 0);
        counts_set(&high, (uintptr_t)id, 0);
    }
    return ticks;
}

void account_forget(void)
{
    counts_free(&low);
    counts_free(&high);
    naming_forget();
}

/* ---- entries ---- */

/* Calls below `depth` that the ledger's collector encloses. */
static uint32_t level_of(const struct thread *t, uint32_t depth, const struct ledger *l)
{
    uint32_t between = 0;
    for (struct chain *c; (c = account_chain(t, --depth)) && chain_has(c, l); between++)
        if (c->ledger == l)
            return between + t->accounts.at[depth].level + 1;
    return between;
}

static void write_entries(const struct thread *t, uint32_t depth, enum tape_event event, bool raised)
{
    struct account *a = &t->accounts.at[depth];
    struct tape_entry e = {.when = t->writer->last, .site = site_at(t, depth), .depth = a->level, .event = event & 0xf, .raised = raised};
    for (struct chain *c = a->chain; c; c = c->outer) {
        if (!chain_is_live(c))
            continue;
        if (c != a->chain)
            e.depth = level_of(t, depth, c->ledger);
        tape_add(&c->ledger->tape, t->number, e);
    }
}

/* ---- calls ---- */

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
    uint64_t before = end_waiting(t->open[depth].id);
    a->begin = now;
    a->children = a->key = 0;
    a->carried = counts || !before ? 0 : before - 1;
    a->partial = !counts && !before;
    a->level = level_of(t, depth, chain->ledger);
    a->around = t->accounts.innermost[site];
    t->accounts.innermost[site] = depth;
    if (counts)
        chain_count(chain, site, now);
    write_entries(t, depth, counts ? TAPE_ENTER : TAPE_RESUME, false);
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

static void end_at(struct thread *t, uint32_t depth, uint64_t now, enum account_end how)
{
    struct account *a = &t->accounts.at[depth];
    if (depth >= t->accounts.room || !a->chain)
        return;
    uint64_t elapsed = now > a->begin ? now - a->begin : 0;
    uint64_t own = elapsed > a->children ? elapsed - a->children : 0;
    uint64_t whole = a->partial || how == ACCOUNT_WAITS ? LEDGER_PART : a->carried + elapsed;
    chain_add(a->chain, site_at(t, depth), elapsed, own, now, chain_around(t, depth), whole);
    if (how == ACCOUNT_WAITS && !a->partial)
        let_wait(t->open[depth].id, a->carried + elapsed);
    write_entries(t, depth, how == ACCOUNT_WAITS ? TAPE_SUSPEND : TAPE_EXIT, how == ACCOUNT_RAISES);
    t->accounts.innermost[site_at(t, depth)] = a->around;
    a->children = 0;
    set_chain(a, NULL);
    pass_on(t, depth, elapsed);
}

void account_end(struct thread *t, uint32_t depth, enum account_end how) { end_at(t, depth, writer_time(t->writer), how); }

/* Its time until the next call above it is its own and its callees'; what comes later is theirs alone. */
void account_end_below(struct thread *t, uint32_t depth, enum account_end how)
{
    bool known = depth + 1 < t->accounts.room && t->accounts.at[depth + 1].chain;
    end_at(t, depth, known ? t->accounts.at[depth + 1].begin : writer_time(t->writer), how);
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
