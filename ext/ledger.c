#include "ledger.h"

#include <stdlib.h>

/* ---- sums ---- */

static uint32_t hash(uint32_t site) { return site * 2654435769u >> 7; }

static bool grow(struct ledger *l)
{
    uint32_t room = l->room ? 2 * l->room : 16;
    struct ledger_sum *sum = realloc(l->sum, room * sizeof *sum);
    if (!sum)
        return false;
    l->sum = sum;
    uint32_t *index = calloc(2 * room, sizeof *index);
    if (!index)
        return false;
    free(l->index);
    l->index = index;
    l->mask = 2 * room - 1;
    l->room = room;
    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t place = hash(l->sum[i].site) & l->mask;
        while (index[place])
            place = (place + 1) & l->mask;
        index[place] = i + 1;
    }
    return true;
}

static struct ledger_sum *find(const struct ledger *l, uint32_t site, uint32_t *place)
{
    *place = hash(site) & l->mask;
    for (; l->index[*place]; *place = (*place + 1) & l->mask)
        if (l->sum[l->index[*place] - 1].site == site)
            return &l->sum[l->index[*place] - 1];
    return NULL;
}

struct ledger_sum *ledger_sum_of(struct ledger *l, uint32_t site)
{
    uint32_t place;
    struct ledger_sum *s = l->count ? find(l, site, &place) : NULL;
    if (s)
        return s;
    if (l->count == l->room && !grow(l)) {
        l->complete = false;
        return NULL;
    }
    find(l, site, &place);
    l->sum[l->count] = (struct ledger_sum){.site = site};
    l->index[place] = ++l->count;
    return &l->sum[l->count - 1];
}

/* ---- ledgers ---- */

struct ledger *ledger_new(void)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l)
        *l = (struct ledger){.owned = true, .complete = true, .number = 1, .tape.cap = TAPE_DEFAULT_CAP};
    return l;
}

void ledger_next_stay(struct ledger *l) { l->number++; }

void ledger_clear(struct ledger *l)
{
    uint64_t cap = l->tape.cap;
    free(l->sum);
    free(l->index);
    tape_free(&l->tape);
    l->tape.cap = cap;
    l->sum = NULL;
    l->index = NULL;
    l->count = l->room = l->ended = 0;
    l->first = l->last = 0;
}

static void delete_if_unused(struct ledger *l)
{
    if (l->owned || l->chains)
        return;
    free(l->sum);
    free(l->index);
    tape_free(&l->tape);
    free(l);
}

/* ---- chains ---- */

static void delete_chain(struct chain *c)
{
    struct chain **link = &c->ledger->chains;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    struct ledger *l = c->ledger;
    struct chain *outer = c->outer;
    free(c);
    delete_if_unused(l);
    chain_drop(outer);
}

void ledger_disown(struct ledger *l)
{
    ledger_next_stay(l);
    struct chain *spare = l->chains && !l->chains->users ? l->chains : NULL;
    l->owned = false;
    if (spare)
        delete_chain(spare);
    else
        delete_if_unused(l);
}

struct chain *chain_keep(struct chain *c)
{
    if (c)
        c->users++;
    return c;
}

void chain_drop(struct chain *c)
{
    if (c && --c->users == 0 && (c != c->ledger->chains || !c->ledger->owned))
        delete_chain(c);
}

bool chain_has(const struct chain *c, const struct ledger *l)
{
    while (c && !(c->ledger == l && chain_is_live(c)))
        c = c->outer;
    return c;
}

static struct chain *new_chain(struct ledger *ledger, struct chain *outer)
{
    struct chain *c = malloc(sizeof *c), *spare = ledger->chains;
    if (!c) {
        ledger->complete = false;
        return NULL;
    }
    *c = (struct chain){.ledger = ledger, .outer = chain_keep(outer), .next = spare, .number = ledger->number};
    ledger->chains = c;
    if (spare && !spare->users)
        delete_chain(spare);
    return c;
}

struct chain *chain_link(struct ledger *ledger, struct chain *outer)
{
    outer = chain_live(outer);
    if (chain_has(outer, ledger))
        return outer;
    for (struct chain *c = ledger->chains; c; c = c->next)
        if (c->outer == outer && chain_is_live(c))
            return c;
    return new_chain(ledger, outer);
}

void chain_count(struct chain *c, uint32_t site, uint64_t now)
{
    for (; c; c = c->outer) {
        struct ledger_sum *s = chain_is_live(c) ? ledger_sum_of(c->ledger, site) : NULL;
        if (!s)
            continue;
        s->calls++;
        if (!c->ledger->first)
            c->ledger->first = now;
    }
}

static void note_end(struct ledger *l, struct ledger_sum *s, uint64_t ran, uint64_t elapsed)
{
    if (!s->order) {
        s->order = ++l->ended;
        s->min = ran;
        s->elapsed_min = elapsed;
    }
    s->min = ran < s->min ? ran : s->min;
    s->max = ran > s->max ? ran : s->max;
    s->elapsed_min = elapsed < s->elapsed_min ? elapsed : s->elapsed_min;
    s->elapsed_max = elapsed > s->elapsed_max ? elapsed : s->elapsed_max;
}

void chain_add(struct chain *c, const struct ledger_stretch *x)
{
    for (; c; c = c->outer) {
        struct ledger_sum *s = chain_is_live(c) ? ledger_sum_of(c->ledger, x->site) : NULL;
        if (!s)
            continue;
        uint64_t outermost = chain_has(x->around, c->ledger) ? 0 : x->took;
        s->exclusive += x->own;
        s->inclusive += outermost;
        s->elapsed += outermost;
        if (x->ends)
            note_end(c->ledger, s, x->ran, x->ran + x->waited);
        c->ledger->last = x->now;
    }
}

void chain_waited(struct chain *c, uint32_t site, uint64_t ticks, const struct chain *around)
{
    for (; c; c = c->outer) {
        struct ledger_sum *s = chain_is_live(c) && !chain_has(around, c->ledger) ? ledger_sum_of(c->ledger, site) : NULL;
        if (s)
            s->elapsed += ticks;
    }
}

void chain_incomplete(struct chain *c)
{
    for (; c; c = c->outer)
        if (chain_is_live(c))
            c->ledger->complete = false;
}
