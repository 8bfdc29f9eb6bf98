#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "membership.h"
#include "naming.h"
#include "recorder.h"
#include "thread.h"
#include "variants.h"

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

/* ---- calls that wait: by the id of their entry ---- */

struct wait {
    uint64_t carried, waited; /* ticks, until then */
    uint64_t since;           /* when it began, on all threads' clock */
    uint32_t activation;
    uint32_t next_free; /* 1 + index; 0: none */
};

static struct {
    struct counts index; /* id -> 1 + index; without room: nobody waits */
    struct wait *at;
    uint32_t used, room, first_free;
    uint32_t activations; /* numbers given so far */
} waits;

static struct wait *new_wait(void)
{
    struct wait *w = waits.first_free ? &waits.at[waits.first_free - 1] : NULL;
    if (w) {
        waits.first_free = w->next_free;
        return w;
    }
    if (waits.used == waits.room) {
        uint32_t room = waits.room ? 2 * waits.room : 64;
        struct wait *more = realloc(waits.at, room * sizeof *more);
        if (!more)
            return NULL;
        waits.at = more;
        waits.room = room;
    }
    return &waits.at[waits.used++];
}

static void free_wait(struct wait *w)
{
    w->next_free = waits.first_free;
    waits.first_free = (uint32_t)(w - waits.at) + 1;
}

/* Without memory it will be partial when it goes on. */
static void let_wait(const void *id, const struct wait *image)
{
    if (!waits.index.room && !counts_init(&waits.index))
        return;
    uint32_t known = counts_get(&waits.index, (uintptr_t)id);
    struct wait *w = known ? &waits.at[known - 1] : new_wait();
    if (!w)
        return;
    *w = *image;
    if (!counts_set(&waits.index, (uintptr_t)id, (uint32_t)(w - waits.at) + 1))
        free_wait(w);
}

/* False: it did not wait, or nobody looked. */
static bool end_waiting(const void *id, struct wait *w)
{
    uint32_t known = waits.index.room && id ? counts_get(&waits.index, (uintptr_t)id) : 0;
    if (!known)
        return false;
    *w = waits.at[known - 1];
    counts_set(&waits.index, (uintptr_t)id, 0);
    free_wait(&waits.at[known - 1]);
    return true;
}

void account_forget(void)
{
    counts_free(&waits.index);
    free(waits.at);
    waits.at = NULL;
    waits.used = waits.room = waits.first_free = 0;
    naming_forget();
}

/* ---- entries ---- */

/* Calls below `depth` that the ledger's collector encloses. */
static uint32_t level_of(const struct thread *t, uint32_t depth, const struct ledger *l)
{
    uint32_t between = 0;
    for (struct chain *c; (c = account_chain(t, --depth)) && chain_has(c, l);) {
        const struct account *below = &t->accounts.at[depth];
        between += !below->hidden;
        if (c->ledger == l)
            return between + below->level;
    }
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
        tape_add(&c->ledger->tape, t->number, e, event == TAPE_SUSPEND || event == TAPE_RESUME ? a->activation : 0);
    }
}

/* ---- calls ---- */

static void set_chain(struct account *a, struct chain *chain)
{
    struct chain *old = a->chain;
    a->chain = chain_keep(chain);
    chain_drop(old);
}

/* The chain of the innermost open call of the same site. What is noted may be out of date: it counts if it still is one. */
static const struct chain *chain_around(const struct thread *t, uint32_t depth)
{
    uint32_t around = t->accounts.at[depth].around;
    return around && around < depth && site_at(t, around) == site_at(t, depth) ? t->accounts.at[around].chain : NULL;
}

/* It goes on: what it did before it waited, and that wait. */
static void take_up(struct thread *t, uint32_t depth, const struct wait *w)
{
    struct account *a = &t->accounts.at[depth];
    uint64_t now = t->writer->last, waited = now > w->since ? now - w->since : 0;
    a->carried = w->carried;
    a->waited = w->waited + waited;
    a->activation = w->activation;
    chain_waited(a->chain, site_at(t, depth), waited, chain_around(t, depth));
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
    struct wait before;
    bool waited = end_waiting(t->open[depth].id, &before) && !counts;
    set_chain(a, chain);
    a->begin = now;
    a->children = a->key = a->carried = a->waited = a->activation = 0;
    a->partial = !counts && !waited;
    a->level = level_of(t, depth, chain->ledger);
    uint32_t own = (uint32_t)t->open[depth].what;
    a->hidden = !membership_is_common(own) && !membership_is_common(variants_function(own));
    if (a->hidden)
        return a;
    a->around = t->accounts.innermost[site];
    t->accounts.innermost[site] = depth;
    if (counts)
        chain_count(chain, site, now);
    if (waited)
        take_up(t, depth, &before);
    write_entries(t, depth, counts ? TAPE_ENTER : TAPE_RESUME, false);
    return a;
}

static void pass_on(struct thread *t, uint32_t depth, uint64_t ticks)
{
    if (depth > 1)
        t->accounts.at[depth - 1].children += ticks;
}

static void end_hidden(struct thread *t, uint32_t depth)
{
    struct account *a = &t->accounts.at[depth];
    uint64_t inner = a->children;
    a->children = 0;
    set_chain(a, NULL);
    pass_on(t, depth, inner);
}

static void wait_at(const struct thread *t, uint32_t depth)
{
    struct account *a = &t->accounts.at[depth];
    if (!a->activation)
        a->activation = ++waits.activations;
    let_wait(t->open[depth].id, &(struct wait){.carried = a->carried, .waited = a->waited, .since = t->writer->last, .activation = a->activation});
}

static void end_at(struct thread *t, uint32_t depth, uint64_t now, enum account_end how)
{
    struct account *a = &t->accounts.at[depth];
    if (depth >= t->accounts.room || !a->chain)
        return;
    if (a->hidden) {
        end_hidden(t, depth);
        return;
    }
    uint64_t took = now > a->begin ? now - a->begin : 0;
    a->carried += took;
    struct ledger_stretch x = {.site = site_at(t, depth), .now = now, .took = took, .own = took > a->children ? took - a->children : 0,
                               .around = chain_around(t, depth), .ends = !a->partial && how != ACCOUNT_WAITS, .ran = a->carried, .waited = a->waited};
    chain_add(a->chain, &x);
    if (how == ACCOUNT_WAITS && !a->partial)
        wait_at(t, depth);
    write_entries(t, depth, how == ACCOUNT_WAITS ? TAPE_SUSPEND : TAPE_EXIT, how == ACCOUNT_RAISES);
    t->accounts.innermost[site_at(t, depth)] = a->around;
    a->children = 0;
    set_chain(a, NULL);
    pass_on(t, depth, took);
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
