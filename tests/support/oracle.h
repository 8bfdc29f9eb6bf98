/* What a profile must say, worked out from the records alone and in another way than shared/ does it: time is handed out
 * as it passes. Each stretch between two records goes to the call on top (exclusive) and once to every site, pair and path
 * that is open (inclusive). That is slow, needs no sums of children, and follows the definitions word by word:
 *
 *   site f        calls; primitive: entered with f not open on the thread; inclusive: time with f open; exclusive: on top
 *   pair (p, f)   calls of f from p; inclusive: time with a call from p to f open
 *   keyed call    begun once; open as long as it runs or waits; the pair is that of whoever resumed it last
 *   foreign       resumed but not begun while recording: its time counts, the call does not
 *   moved         resumed, and begun elsewhere: the records say what it waited and ran until then
 *   taken         went on elsewhere: it does not wait any more
 *   put aside     a call of any kind whose stack is left for another: it waits like a keyed one, and is one from there on
 *   ended below   a block that ends under later calls: it lasted until then, and is the path of those calls until they
 *                 have ended, but has no time of its own any more
 *
 * An oracle may be one consumer's: it sees the calls that begin while it listens, of functions that it has selected. Time of the
 * others goes to the nearest one below that it sees, and recursion and callers are judged among those. */
#ifndef TSCAP_TESTS_ORACLE_H
#define TSCAP_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "segment.h"

struct oracle_sums {
    uint64_t calls, primitive, open, raised, inclusive, exclusive, off_inclusive, off_exclusive, waited, suspended, bytes;
    uint64_t elapsed; /* from the first start to the final return, but for the wait it is in; of outermost calls */
};

struct oracle_call {
    uint32_t site, caller, path;
    bool keyed, foreign, ended;
    bool unseen;
    uint64_t key;
    uint64_t begin, ran; /* of this stretch; in the stretches before it */
    uint64_t since;      /* waiting since */
    uint64_t waited;     /* in the waits that are over, on whatever thread */
};

struct oracle_path {
    uint32_t parent, site;
    uint64_t calls, inclusive, exclusive;
};

struct oracle_thread {
    struct oracle_call *call; /* [1 .. depth] */
    uint32_t depth, call_room;
    struct oracle_call *waiting;
    uint32_t waits, wait_room;
    struct oracle_path *path; /* [1 .. paths]; 0: the root */
    uint32_t paths, path_room;
    uint64_t clock, own; /* recording time taken out; that time */
    uint64_t key;        /* of the last RECORD_KEY */
    uint64_t last;       /* ticks of the last record */
};

/* Sorted. */
struct oracle_durations {
    uint64_t *value;
    size_t count, room;
};

struct oracle {
    uint32_t sites;
    uint32_t suspended_limit; /* per thread */
    bool away;                /* does not listen */
    const bool *selected;     /* by site; NULL: all (borrowed) */
    struct oracle_sums *site; /* [1 .. sites] */
    struct oracle_sums *pair; /* [caller * (sites + 1) + callee] */
    struct oracle_durations *ended, *elapsed; /* how long calls ran, and with what they waited */
    uint64_t mismatched, silent_ends, lost, lost_waits, own, records;
};

/* ---- life ---- */

static inline void *oracle_more(void *array, uint32_t *room, uint32_t needed, size_t size)
{
    if (needed < *room)
        return array;
    uint32_t more = *room ? 2 * *room : 64;
    while (more <= needed)
        more *= 2;
    array = realloc(array, more * size);
    if (!array)
        abort();
    memset((char *)array + *room * size, 0, (more - *room) * size);
    *room = more;
    return array;
}

static inline size_t oracle_pairs(const struct oracle *o) { return (size_t)(o->sites + 1) * (o->sites + 1); }

static inline void oracle_init(struct oracle *o, uint32_t sites)
{
    *o = (struct oracle){.sites = sites, .suspended_limit = UINT32_MAX};
    o->site = calloc(sites + 1, sizeof *o->site);
    o->pair = calloc(oracle_pairs(o), sizeof *o->pair);
    o->ended = calloc(sites + 1, sizeof *o->ended);
    o->elapsed = calloc(sites + 1, sizeof *o->elapsed);
}

static inline void oracle_free(struct oracle *o)
{
    for (uint32_t i = 0; i <= o->sites; i++) {
        free(o->ended[i].value);
        free(o->elapsed[i].value);
    }
    free(o->site);
    free(o->pair);
    free(o->ended);
    free(o->elapsed);
}

/* As after a reset, which forgets what threads have open, too. */
static inline void oracle_clear(struct oracle *o)
{
    struct oracle before = *o;
    oracle_free(o);
    oracle_init(o, before.sites);
    o->suspended_limit = before.suspended_limit;
    o->away = before.away;
    o->selected = before.selected;
}

/* Nothing that has begun is its any more. */
static inline void oracle_unsee(struct oracle_thread *t)
{
    for (uint32_t d = 1; d <= t->depth; d++)
        t->call[d].unseen = true;
    for (uint32_t i = 0; i < t->waits; i++)
        t->waiting[i].unseen = true;
}

static inline void oracle_thread_free(struct oracle_thread *t)
{
    free(t->call);
    free(t->waiting);
    free(t->path);
    *t = (struct oracle_thread){.depth = 0};
}

/* ---- time ---- */

static inline struct oracle_sums *oracle_pair(const struct oracle *o, uint32_t caller, uint32_t callee)
{
    return &o->pair[(size_t)caller * (o->sites + 1) + callee];
}

/* The innermost call that has not ended: 0: none. */
static inline uint32_t oracle_running(const struct oracle_thread *t)
{
    uint32_t d = t->depth;
    while (d && t->call[d].ended)
        d--;
    return d;
}

/* The nearest call that is seen, from this depth down; NULL: none. */
static inline const struct oracle_call *oracle_seen(const struct oracle_thread *t, uint32_t depth)
{
    while (depth && t->call[depth].unseen)
        depth--;
    return depth ? &t->call[depth] : NULL;
}

static inline bool oracle_open_below(const struct oracle_thread *t, uint32_t depth, uint32_t site)
{
    for (uint32_t d = 1; d < depth; d++)
        if (t->call[d].site == site && !t->call[d].unseen)
            return true;
    return false;
}
static inline bool oracle_pair_open_below(const struct oracle_thread *t, uint32_t depth, uint32_t caller, uint32_t site)
{
    for (uint32_t d = 1; d < depth; d++)
        if (t->call[d].site == site && t->call[d].caller == caller && !t->call[d].unseen)
            return true;
    return false;
}

/* Hands out `ticks`, `off` of them not on the CPU (or only those). */
static inline void oracle_hand_out(struct oracle *o, struct oracle_thread *t, uint64_t ticks, uint64_t off)
{
    uint32_t top = oracle_running(t);
    const struct oracle_call *own = oracle_seen(t, top);
    for (uint32_t d = 1; d <= top; d++) {
        const struct oracle_call *c = &t->call[d];
        if (c->unseen)
            continue;
        struct oracle_sums *site = &o->site[c->site], *pair = oracle_pair(o, c->caller, c->site);
        t->path[c->path].inclusive += ticks;
        if (!oracle_open_below(t, d, c->site)) {
            site->inclusive += ticks;
            site->elapsed += ticks;
            site->off_inclusive += off;
        }
        if (!oracle_pair_open_below(t, d, c->caller, c->site)) {
            pair->inclusive += ticks;
            pair->elapsed += ticks;
            pair->off_inclusive += off;
        }
        if (c == own) {
            t->path[c->path].exclusive += ticks;
            site->exclusive += ticks;
            site->off_exclusive += off;
            pair->exclusive += ticks;
            pair->off_exclusive += off;
        }
    }
}

static inline void oracle_advance(struct oracle *o, struct oracle_thread *t, uint64_t when)
{
    uint64_t now = when - t->own;
    oracle_hand_out(o, t, now - t->clock, 0);
    t->clock = now;
}

/* ---- calls ---- */

static inline uint32_t oracle_path_of(struct oracle_thread *t, uint32_t parent, uint32_t site)
{
    for (uint32_t i = 1; i <= t->paths; i++)
        if (t->path[i].parent == parent && t->path[i].site == site)
            return i;
    t->path = oracle_more(t->path, &t->path_room, t->paths + 1, sizeof *t->path);
    t->path[++t->paths] = (struct oracle_path){.parent = parent, .site = site};
    return t->paths;
}

static inline struct oracle_call *oracle_push(struct oracle_thread *t, uint32_t site)
{
    const struct oracle_call *above = oracle_seen(t, t->depth);
    uint32_t caller = above ? above->site : 0, path = oracle_path_of(t, above ? above->path : 0, site);
    t->call = oracle_more(t->call, &t->call_room, t->depth + 1, sizeof *t->call);
    struct oracle_call *c = &t->call[++t->depth];
    *c = (struct oracle_call){.site = site, .caller = caller, .path = path, .begin = t->clock};
    return c;
}

static inline bool oracle_listens(const struct oracle *o, uint32_t site) { return !o->away && (!o->selected || o->selected[site]); }

static inline void oracle_began(struct oracle *o, struct oracle_thread *t, const struct oracle_call *c)
{
    struct oracle_sums *site = &o->site[c->site], *pair = oracle_pair(o, c->caller, c->site);
    if (c->unseen)
        return;
    bool primitive = !oracle_open_below(t, t->depth, c->site);
    site->calls++;
    pair->calls++;
    t->path[c->path].calls++;
    site->primitive += primitive;
    pair->primitive += primitive;
}

static inline void oracle_lasted(struct oracle_durations *d, uint64_t value)
{
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 64;
        d->value = realloc(d->value, d->room * sizeof *d->value);
        if (!d->value)
            abort();
    }
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->value[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(d->value + low + 1, d->value + low, (d->count - low) * sizeof *d->value);
    d->value[low] = value;
    d->count++;
}

static inline void oracle_ended(struct oracle *o, const struct oracle_call *c, uint64_t now, unsigned flags)
{
    if (c->unseen)
        return;
    if (flags & RECORD_RAISED && !c->foreign) {
        o->site[c->site].raised++;
        oracle_pair(o, c->caller, c->site)->raised++;
    }
    if (c->foreign)
        return;
    oracle_lasted(&o->ended[c->site], c->ran + now - c->begin);
    oracle_lasted(&o->elapsed[c->site], c->waited + c->ran + now - c->begin);
}

static inline struct oracle_call *oracle_waiting(struct oracle_thread *t, uint64_t key)
{
    for (uint32_t i = 0; i < t->waits; i++)
        if (t->waiting[i].key == key)
            return &t->waiting[i];
    return NULL;
}

static inline void oracle_forget_waiting(struct oracle_thread *t, struct oracle_call *w) { *w = t->waiting[--t->waits]; }

static inline void oracle_silent_end(struct oracle *o, struct oracle_thread *t, struct oracle_call *stale)
{
    o->silent_ends += !stale->foreign;
    oracle_forget_waiting(t, stale);
}

static inline void oracle_enter(struct oracle *o, struct oracle_thread *t, uint32_t site, bool keyed)
{
    struct oracle_call *stale = keyed ? oracle_waiting(t, t->key) : NULL;
    if (stale)
        oracle_silent_end(o, t, stale);
    struct oracle_call *c = oracle_push(t, site);
    c->unseen = !oracle_listens(o, site);
    c->keyed = keyed;
    c->key = t->key;
    oracle_began(o, t, c);
}

static inline void oracle_waited(struct oracle *o, struct oracle_thread *t, const struct oracle_call *c, uint64_t waited)
{
    struct oracle_sums *pair = oracle_pair(o, c->caller, c->site);
    if (c->unseen)
        return;
    o->site[c->site].waited += waited;
    pair->waited += waited;
    o->site[c->site].elapsed += oracle_open_below(t, t->depth, c->site) ? 0 : waited;
    pair->elapsed += oracle_pair_open_below(t, t->depth, c->caller, c->site) ? 0 : waited;
}

static inline void oracle_resume(struct oracle *o, struct oracle_thread *t, uint32_t site, bool moved)
{
    struct oracle_call *w = oracle_waiting(t, t->key);
    if (w && (moved || w->site != site)) { /* another activation at the same place in memory */
        oracle_silent_end(o, t, w);
        w = NULL;
    }
    struct oracle_call *c = oracle_push(t, site);
    c->keyed = true;
    c->key = t->key;
    c->foreign = w ? w->foreign : !moved;
    c->unseen = w ? w->unseen : !oracle_listens(o, site);
    if (!w)
        return;
    c->ran = w->ran;
    c->waited = w->waited + t->clock - w->since;
    oracle_waited(o, t, c, t->clock - w->since);
    oracle_forget_waiting(t, w);
}

static inline void oracle_moved(struct oracle *o, struct oracle_thread *t, uint64_t what)
{
    struct oracle_call *c = t->depth ? &t->call[t->depth] : NULL;
    if (!c || !c->keyed || c->ended)
        o->mismatched++;
    else if (record_kind(what) == RECORD_CARRIED)
        c->ran += record_duration(what);
    else {
        c->waited += record_duration(what);
        oracle_waited(o, t, c, record_flags(what) & RECORD_COUNTED ? 0 : record_duration(what));
    }
}

static inline void oracle_moved_bytes(struct oracle *o, struct oracle_thread *t, uint64_t bytes)
{
    const struct oracle_call *c = t->depth ? &t->call[t->depth] : NULL;
    o->mismatched += !c;
    if (!c || c->unseen)
        return;
    o->site[c->site].bytes += bytes;
    oracle_pair(o, c->caller, c->site)->bytes += bytes;
}

static inline void oracle_taken(struct oracle *o, struct oracle_thread *t, bool silently)
{
    struct oracle_call *w = oracle_waiting(t, t->key);
    if (w && silently)
        oracle_silent_end(o, t, w);
    else if (w)
        oracle_forget_waiting(t, w);
}

static inline void oracle_suspend(struct oracle *o, struct oracle_thread *t)
{
    struct oracle_call c = t->call[t->depth--];
    if (t->waits >= o->suspended_limit) {
        o->lost_waits++;
        return;
    }
    t->waiting = oracle_more(t->waiting, &t->wait_room, t->waits, sizeof *t->waiting);
    c.ran += t->clock - c.begin;
    c.since = t->clock;
    t->waiting[t->waits++] = c;
}

static inline void oracle_end(struct oracle *o, struct oracle_thread *t, uint64_t when, uint64_t what)
{
    uint32_t depth = record_depth(what);
    bool waits = record_kind(what) == RECORD_SUSPEND, top = depth == t->depth;
    struct oracle_call *c = depth && depth <= t->depth ? &t->call[depth] : NULL;
    bool put_aside = waits && record_flags(what) & RECORD_KEYED;
    bool fits = c && !c->ended && (!top || c->site == record_site(what)) && (!waits || (top && (c->keyed || put_aside)));
    if (!fits) {
        o->mismatched++;
        return;
    }
    oracle_advance(o, t, when);
    if (put_aside) {
        c->keyed = true;
        c->key = t->key;
    }
    if (waits) {
        oracle_suspend(o, t);
        return;
    }
    oracle_ended(o, c, t->clock, record_flags(what));
    c->ended = true;
    t->depth -= top;
}

/* Recording stops while the call on top is open: it stays open for ever. */
static inline void oracle_cut_top(struct oracle *o, struct oracle_thread *t, uint64_t when)
{
    if (t->depth == 0)
        return;
    oracle_advance(o, t, when);
    const struct oracle_call *c = &t->call[t->depth--];
    if (c->ended || c->foreign || c->unseen)
        return;
    o->site[c->site].open++;
    oracle_pair(o, c->caller, c->site)->open++;
}

static inline void oracle_record(struct oracle *o, struct oracle_thread *t, uint64_t when, uint64_t what)
{
    unsigned kind = record_kind(what);
    o->records++;
    if (kind != RECORD_KEY && when > t->last)
        t->last = when;
    switch (kind) {
    case RECORD_KEY:
        t->key = when;
        break;
    case RECORD_OFF_CPU:
        oracle_hand_out(o, t, 0, record_duration(what));
        break;
    case RECORD_OWN:
        t->own += record_duration(what);
        o->own += record_duration(what);
        break;
    case RECORD_ENTER:
    case RECORD_RESUME:
        oracle_advance(o, t, when);
        if (kind == RECORD_RESUME)
            oracle_resume(o, t, record_site(what), record_flags(what) & RECORD_MOVED);
        else
            oracle_enter(o, t, record_site(what), record_flags(what) & RECORD_KEYED);
        break;
    case RECORD_EXIT:
    case RECORD_SUSPEND:
        oracle_end(o, t, when, what);
        break;
    case RECORD_TAKEN:
        oracle_taken(o, t, record_flags(what) & RECORD_SILENT);
        break;
    case RECORD_WAITED:
    case RECORD_CARRIED:
        oracle_moved(o, t, what);
        break;
    case RECORD_BYTES:
        oracle_moved_bytes(o, t, record_duration(what));
        break;
    case RECORD_DROP:
        if (t->depth && t->call[t->depth].ended)
            t->depth--;
        else
            o->mismatched++;
        break;
    case RECORD_AUDIENCE:
        break; /* who is in it, the oracle is told otherwise */
    case RECORD_NONE:
        oracle_cut_top(o, t, when);
        break;
    default:
        o->mismatched++;
    }
}

/* What recording ended on its own account, at `asof`: open calls have lasted until then, since the last record off the CPU. */
static inline void oracle_close(struct oracle *o, struct oracle_thread *t, uint64_t asof)
{
    if (t->depth && asof > t->last)
        oracle_hand_out(o, t, 0, asof - t->last);
    while (t->depth)
        oracle_cut_top(o, t, asof);
    for (uint32_t i = 0; i < t->waits; i++) {
        const struct oracle_call *w = &t->waiting[i];
        struct oracle_sums *sums[] = {&o->site[w->site], oracle_pair(o, w->caller, w->site)};
        for (int k = 0; k < 2 && !w->foreign && !w->unseen; k++) {
            sums[k]->open++;
            sums[k]->suspended++;
        }
    }
    t->waits = 0;
}

/* ---- copies, so that a look at the profile does not end anything; durations are shared, they do not change ---- */

static inline struct oracle oracle_copy(const struct oracle *o)
{
    struct oracle copy = *o;
    copy.site = malloc((o->sites + 1) * sizeof *o->site);
    copy.pair = malloc(oracle_pairs(o) * sizeof *o->pair);
    memcpy(copy.site, o->site, (o->sites + 1) * sizeof *o->site);
    memcpy(copy.pair, o->pair, oracle_pairs(o) * sizeof *o->pair);
    return copy;
}
static inline void oracle_copy_free(struct oracle *o)
{
    free(o->site);
    free(o->pair);
}

static inline void *oracle_duplicate(const void *from, size_t bytes) { return from ? memcpy(malloc(bytes), from, bytes) : NULL; }

static inline struct oracle_thread oracle_thread_copy(const struct oracle_thread *t)
{
    struct oracle_thread copy = *t;
    copy.call = oracle_duplicate(t->call, t->call_room * sizeof *t->call);
    copy.waiting = oracle_duplicate(t->waiting, t->wait_room * sizeof *t->waiting);
    copy.path = oracle_duplicate(t->path, t->path_room * sizeof *t->path);
    return copy;
}

/* ---- comparing: each function returns whether all is well, else says in `why` what is not ---- */

struct oracle_why {
    char text[256];
};

static inline bool oracle_same(struct oracle_why *why, const char *what, uint32_t a, uint32_t b, const char *field, uint64_t got, uint64_t expected)
{
    if (got == expected)
        return true;
    snprintf(why->text, sizeof why->text, "%s %u %u: %s is %llu, must be %llu", what, a, b, field, (unsigned long long)got,
             (unsigned long long)expected);
    return false;
}

static inline bool oracle_same_sums(struct oracle_why *why, const char *what, uint32_t a, uint32_t b, const struct profile_times *t,
                                    const struct oracle_sums *e)
{
    return oracle_same(why, what, a, b, "calls", t->calls, e->calls) &&
           oracle_same(why, what, a, b, "primitive", t->primitive_calls, e->primitive) &&
           oracle_same(why, what, a, b, "open", t->open, e->open) && oracle_same(why, what, a, b, "raised", t->raised, e->raised) &&
           oracle_same(why, what, a, b, "inclusive", t->inclusive, e->inclusive) &&
           oracle_same(why, what, a, b, "exclusive", t->exclusive, e->exclusive) &&
           oracle_same(why, what, a, b, "off inclusive", t->off_inclusive, e->off_inclusive) &&
           oracle_same(why, what, a, b, "off exclusive", t->off_exclusive, e->off_exclusive) &&
           oracle_same(why, what, a, b, "waited", t->waited, e->waited) && oracle_same(why, what, a, b, "elapsed", t->elapsed, e->elapsed) &&
           oracle_same(why, what, a, b, "suspended", t->suspended, e->suspended) && oracle_same(why, what, a, b, "bytes", t->bytes, e->bytes);
}

/* Nearest rank. */
static inline uint64_t oracle_quantile(const struct oracle_durations *d, unsigned percent)
{
    size_t rank = (d->count * percent + 99) / 100;
    return d->count ? d->value[rank ? rank - 1 : 0] : 0;
}

static inline bool oracle_near(struct oracle_why *why, uint32_t site, const char *field, uint64_t got, uint64_t exact)
{
    uint64_t error = got > exact ? got - exact : exact - got;
    return error * 32 <= exact || oracle_same(why, "site", site, 0, field, got, exact);
}

/* Their deviation, by the definition: how far each is from the mean. */
static inline uint64_t oracle_deviation(const struct oracle_durations *d)
{
    long double mean = 0, sum = 0;
    for (size_t i = 0; i < d->count; i++)
        mean += (long double)d->value[i] / (long double)d->count;
    for (size_t i = 0; i < d->count; i++)
        sum += ((long double)d->value[i] - mean) * ((long double)d->value[i] - mean) / (long double)d->count;
    uint64_t root = 0;
    for (uint64_t bit = 1ull << 40; bit; bit /= 2)
        root += (long double)(root + bit) * (long double)(root + bit) <= sum ? bit : 0;
    return sum - (long double)root * (long double)root > (long double)root ? root + 1 : root;
}

static inline bool oracle_same_deviation(struct oracle_why *why, uint32_t site, uint64_t got, const struct oracle_durations *d)
{
    uint64_t exact = oracle_deviation(d), error = got > exact ? got - exact : exact - got;
    return error <= 1 || oracle_same(why, "site", site, 0, "deviation", got, exact);
}

static inline bool oracle_same_elapsed(struct oracle_why *why, const struct profile_site *s, const struct oracle_durations *d)
{
    uint64_t min = d->count ? d->value[0] : 0, max = d->count ? d->value[d->count - 1] : 0;
    const struct profile_spread *x = &s->spread;
    return oracle_same(why, "site", s->id, 0, "elapsed min", x->elapsed_min, min) &&
           oracle_same(why, "site", s->id, 0, "elapsed max", x->elapsed_max, max) &&
           oracle_near(why, s->id, "elapsed p50", x->elapsed_p50, oracle_quantile(d, 50)) &&
           oracle_near(why, s->id, "elapsed p95", x->elapsed_p95, oracle_quantile(d, 95)) &&
           oracle_near(why, s->id, "elapsed p99", x->elapsed_p99, oracle_quantile(d, 99));
}

static inline bool oracle_same_durations(struct oracle_why *why, const struct profile_site *s, const struct oracle_durations *d)
{
    uint64_t min = d->count ? d->value[0] : 0, max = d->count ? d->value[d->count - 1] : 0;
    return oracle_same(why, "site", s->id, 0, "ended", s->spread.ended, d->count) && oracle_same(why, "site", s->id, 0, "min", s->spread.min, min) &&
           oracle_same(why, "site", s->id, 0, "max", s->spread.max, max) && oracle_near(why, s->id, "p50", s->spread.p50, oracle_quantile(d, 50)) &&
           oracle_near(why, s->id, "p95", s->spread.p95, oracle_quantile(d, 95)) &&
           oracle_near(why, s->id, "p99", s->spread.p99, oracle_quantile(d, 99)) &&
           oracle_same_deviation(why, s->id, s->spread.deviation, d);
}

static inline bool oracle_same_sites(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    for (uint32_t id = 1; id <= o->sites; id++) {
        const struct profile_site *s = profile_site(p, id);
        if (!s)
            return oracle_same(why, "site", id, 0, "in the profile", 0, 1);
        if (!oracle_same_sums(why, "site", id, 0, &s->t, &o->site[id]) || !oracle_same_durations(why, s, &o->ended[id]) ||
            !oracle_same_elapsed(why, s, &o->elapsed[id]))
            return false;
    }
    return true;
}

static inline bool oracle_nothing(const struct oracle_sums *s)
{
    return !s->calls && !s->inclusive && !s->open && !s->raised && !s->waited && !s->bytes;
}

static inline bool oracle_same_pairs(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    uint32_t i = 0;
    for (uint32_t caller = 0; caller <= o->sites; caller++)
        for (uint32_t callee = 1; callee <= o->sites; callee++) {
            static const struct profile_times none;
            const struct oracle_sums *e = oracle_pair(o, caller, callee);
            bool there = i < p->pairs && p->pair[i].caller == caller && p->pair[i].callee == callee;
            if (!there && oracle_nothing(e))
                continue;
            if (!oracle_same_sums(why, "pair", caller, callee, there ? &p->pair[i].t : &none, e))
                return false;
            i += there;
        }
    return oracle_same(why, "pairs", 0, 0, "in the profile", p->pairs, i);
}

static inline bool oracle_same_counters(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    return oracle_same(why, "lane", 0, 0, "mismatched", p->mismatched, o->mismatched) &&
           oracle_same(why, "lane", 0, 0, "silent ends", p->silent_ends, o->silent_ends) &&
           oracle_same(why, "lane", 0, 0, "clamped", p->clamped, 0) && oracle_same(why, "lane", 0, 0, "lost", p->lost, o->lost) &&
           oracle_same(why, "lane", 0, 0, "lost waits", p->lost_waits, o->lost_waits) &&
           oracle_same(why, "lane", 0, 0, "own", p->own, o->own);
}

/* To the tick: all there is between the roots' beginnings and ends belongs to somebody. */
static inline bool oracle_identity(struct oracle_why *why, const struct profile *p)
{
    uint64_t exclusive = 0, roots = 0;
    for (uint32_t i = 0; i < p->sites; i++)
        exclusive += p->site[i].t.exclusive;
    for (uint32_t i = 0; i < p->threads; i++)
        roots += p->thread[i].roots;
    return oracle_same(why, "identity", 0, 0, "sum of exclusive times", exclusive, roots);
}

/* The same where paths have been given up: what is known of a call by itself is exact still. */
static inline bool oracle_check_calls(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    why->text[0] = '\0';
    for (uint32_t id = 1; id <= o->sites; id++) {
        const struct profile_site *s = profile_site(p, id);
        const struct oracle_sums *e = &o->site[id];
        if (!oracle_same(why, "site", id, 0, "calls", s->t.calls, e->calls) || !oracle_same(why, "site", id, 0, "open", s->t.open, e->open) ||
            !oracle_same(why, "site", id, 0, "raised", s->t.raised, e->raised) ||
            !oracle_same(why, "site", id, 0, "waited", s->t.waited, e->waited) || !oracle_same_durations(why, s, &o->ended[id]) ||
            !oracle_same_elapsed(why, s, &o->elapsed[id]))
            return false;
    }
    return true;
}

/* What one consumer sees: what is counted for the lane as a whole is nobody's. */
static inline bool oracle_check_view(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    why->text[0] = '\0';
    return oracle_same(why, "profile", 0, 0, "complete", p->complete, true) && oracle_same_sites(why, o, p) && oracle_same_pairs(why, o, p) &&
           oracle_identity(why, p);
}

static inline bool oracle_check(struct oracle_why *why, const struct oracle *o, const struct profile *p)
{
    why->text[0] = '\0';
    return oracle_same(why, "profile", 0, 0, "complete", p->complete, true) && oracle_same_counters(why, o, p) && oracle_same_sites(why, o, p) &&
           oracle_same_pairs(why, o, p) && oracle_identity(why, p);
}

/* ---- the tree of one thread, while no path has been given up ---- */

static inline uint32_t oracle_find_path(const struct oracle_thread *t, uint32_t parent, uint32_t site)
{
    for (uint32_t i = 1; i <= t->paths; i++)
        if (t->path[i].parent == parent && t->path[i].site == site)
            return i;
    return 0;
}

static inline bool oracle_check_paths(struct oracle_why *why, const struct oracle_thread *t, const struct profile *p, uint32_t first, uint32_t parent)
{
    for (uint32_t i = first; i; i = p->node[i].next_sibling) {
        const struct profile_node *n = &p->node[i];
        uint32_t path = oracle_find_path(t, parent, n->site);
        const struct oracle_path *e = &t->path[path];
        bool same = oracle_same(why, "path", parent, n->site, "known", path != 0, true) &&
                    oracle_same(why, "path", parent, n->site, "calls", n->t.calls, e->calls) &&
                    oracle_same(why, "path", parent, n->site, "inclusive", n->t.inclusive, e->inclusive) &&
                    oracle_same(why, "path", parent, n->site, "exclusive", n->t.exclusive, e->exclusive);
        if (!same || !oracle_check_paths(why, t, p, n->first_child, path))
            return false;
    }
    return true;
}

#endif
