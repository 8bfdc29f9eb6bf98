#include "tape_trees.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "counts.h"
#include "deviation.h"
#include "siblings.h"

/* A call that runs. */
struct frame {
    uint32_t site, node, pair; /* indices in the profile */
    uint32_t number;           /* the site's */
    uint64_t began, children;  /* of this stretch: when, and how long its callees took */
    uint64_t ran, waited;      /* in the stretches before, and between them */
    bool partial;              /* it began before the tape did, or where nobody knows */
    bool outermost, outermost_of_pair;
};

/* A call that waits. */
struct wait {
    uint64_t since, ran, waited;
    uint32_t site, node, pair;
    bool partial, over;
};

struct stack {
    struct frame *frame;
    size_t room;
    uint32_t depth;
    uint32_t top; /* the node whose children the roots are */
};

struct replay {
    struct profile *p;
    const struct tape *tape;
    struct stack *stack; /* of each thread */
    struct wait *wait;
    uint32_t waits;
    struct counts child;   /* parent, site -> node */
    struct counts pair;    /* caller, callee -> 1 + index */
    struct counts open;    /* thread and site, thread and pair -> how many */
    struct counts waiting; /* activation -> 1 + index in `wait` */
    struct counts bucket;  /* site, kind, exponent -> 1 + index */
    struct durations {
        uint64_t count, sum;
        uint128 squares;
    } *durations; /* of calls that have ended, of each site, by index */
    size_t nodes_room, pairs_room, waits_room, buckets_room;
    bool failed;
};

static struct profile_times *site_times(struct replay *r, uint32_t site) { return &r->p->site[site].t; }
static struct profile_times *node_times(struct replay *r, uint32_t node) { return &r->p->node[node].t; }
static struct profile_times *pair_times(struct replay *r, uint32_t pair) { return &r->p->pair[pair].t; }

static void remember(struct replay *r, struct counts *map, uint64_t key, uint32_t value) { r->failed |= !counts_set(map, key, value); }

/* ---- nodes and pairs ---- */

static uint32_t new_node(struct replay *r, uint32_t parent, uint32_t site)
{
    struct profile *p = r->p;
    struct profile_node *more = array_room(p->node, (size_t)p->nodes + 1, &r->nodes_room, sizeof *more);
    if (!more) {
        r->failed = true;
        return 0;
    }
    p->node = more;
    if (p->nodes == 0)
        more[0] = (struct profile_node){0};
    uint32_t i = ++p->nodes;
    more[i] = (struct profile_node){.site = site, .parent = parent, .next_sibling = more[parent].first_child};
    if (parent)
        more[parent].first_child = i;
    return i;
}

static uint32_t child_of(struct replay *r, uint32_t parent, uint32_t site)
{
    uint64_t key = (uint64_t)parent << 32 | site;
    uint32_t node = counts_get(&r->child, key);
    if (!node && (node = new_node(r, parent, site)))
        remember(r, &r->child, key, node);
    return node;
}

static uint32_t pair_of(struct replay *r, uint32_t caller, uint32_t callee)
{
    struct profile *p = r->p;
    uint64_t key = (uint64_t)caller << 32 | callee;
    uint32_t known = counts_get(&r->pair, key);
    if (known)
        return known - 1;
    struct profile_pair *more = array_room(p->pair, p->pairs, &r->pairs_room, sizeof *more);
    if (!more) {
        r->failed = true;
        return 0;
    }
    p->pair = more;
    more[p->pairs] = (struct profile_pair){.caller = caller, .callee = callee};
    remember(r, &r->pair, key, ++p->pairs);
    return p->pairs - 1;
}

/* ---- how long calls took that have ended ---- */

static void count_in_bucket(struct replay *r, uint32_t site, enum block_kind kind, uint64_t ticks)
{
    struct profile *p = r->p;
    uint32_t exponent = histogram_exponent(ticks);
    uint64_t key = (uint64_t)site << 32 | (uint64_t)kind << 16 | (exponent + 1);
    uint32_t known = counts_get(&r->bucket, key);
    if (!known) {
        struct profile_bucket *more = array_room(p->bucket, p->buckets, &r->buckets_room, sizeof *more);
        if (!more) {
            r->failed = true;
            return;
        }
        p->bucket = more;
        more[p->buckets] = (struct profile_bucket){.site = site, .kind = kind, .exponent = exponent};
        known = ++p->buckets;
        remember(r, &r->bucket, key, known);
    }
    p->bucket[known - 1].count[histogram_step(ticks)]++;
}

static void count_duration(struct replay *r, const struct frame *f)
{
    struct durations *s = &r->durations[f->site];
    s->count++;
    s->sum += f->ran;
    s->squares += (uint128)f->ran * f->ran;
    count_in_bucket(r, f->number, f->waited ? BLOCK_RAN : BLOCK_PLAIN, f->ran);
    if (f->waited)
        count_in_bucket(r, f->number, BLOCK_ELAPSED, f->ran + f->waited);
}

/* ---- stretches ---- */

static uint64_t open_site(uint32_t thread, uint32_t site) { return (uint64_t)(thread + 1) << 32 | site; }
static uint64_t open_pair(uint32_t thread, uint32_t pair) { return 1ull << 63 | (uint64_t)(thread + 1) << 32 | pair; }

/* A call comes onto the stack of its thread. NULL: it has a site that nobody knows, or no memory. */
static struct frame *push(struct replay *r, const struct tape_entry *e)
{
    struct stack *s = &r->stack[e->thread];
    const struct profile_site *site = profile_site(r->p, e->site);
    struct frame *more = site ? array_room(s->frame, s->depth, &s->room, sizeof *more) : NULL;
    r->failed |= site && !more;
    if (!more)
        return NULL;
    s->frame = more;
    const struct frame *caller = s->depth ? &more[s->depth - 1] : NULL;
    struct frame *f = &more[s->depth++];
    *f = (struct frame){.site = (uint32_t)(site - r->p->site), .number = e->site, .began = e->when};
    f->node = child_of(r, caller ? caller->node : s->top, e->site);
    f->pair = pair_of(r, caller ? caller->number : 0, e->site);
    f->outermost = !counts_get(&r->open, open_site(e->thread, f->site));
    f->outermost_of_pair = !counts_get(&r->open, open_pair(e->thread, f->pair));
    r->failed |= !counts_increment(&r->open, open_site(e->thread, f->site)) || !counts_increment(&r->open, open_pair(e->thread, f->pair));
    return r->failed ? NULL : f;
}

static void add_stretch(struct profile_times *t, uint64_t took, uint64_t own, bool outermost)
{
    t->inclusive += outermost ? took : 0;
    t->elapsed += outermost ? took : 0;
    t->exclusive += own;
}

/* It leaves the stack. */
static struct frame pop(struct replay *r, uint32_t thread, uint64_t when)
{
    struct stack *s = &r->stack[thread];
    struct frame f = s->frame[--s->depth];
    uint64_t took = when > f.began ? when - f.began : 0, own = took > f.children ? took - f.children : 0;
    add_stretch(site_times(r, f.site), took, own, f.outermost);
    add_stretch(pair_times(r, f.pair), took, own, f.outermost_of_pair);
    add_stretch(node_times(r, f.node), took, own, true);
    counts_decrement(&r->open, open_site(thread, f.site));
    counts_decrement(&r->open, open_pair(thread, f.pair));
    if (s->depth)
        s->frame[s->depth - 1].children += took;
    f.ran += took;
    return f;
}

/* ---- entries ---- */

static void begin_call(struct replay *r, const struct tape_entry *e)
{
    const struct frame *f = push(r, e);
    struct profile_times *times[3];
    if (!f)
        return;
    times[0] = site_times(r, f->site);
    times[1] = pair_times(r, f->pair);
    times[2] = node_times(r, f->node);
    for (size_t i = 0; i < 3; i++) {
        times[i]->calls++;
        times[i]->primitive_calls += i == 1 ? f->outermost_of_pair : f->outermost;
    }
}

static void add_wait(struct profile_times *t, uint64_t ticks, bool outermost)
{
    t->waited += ticks;
    t->elapsed += outermost ? ticks : 0;
}

/* Where it goes on it may have another caller than where it began. */
static void go_on(struct replay *r, const struct tape_entry *e)
{
    struct frame *f = push(r, e);
    uint32_t known = counts_get(&r->waiting, (uint64_t)tape_activation(r->tape, e->number) + 1);
    if (!f)
        return;
    struct wait *w = known ? &r->wait[known - 1] : NULL;
    f->partial = !w || w->over || w->partial;
    if (!w || w->over)
        return;
    uint64_t waited = e->when > w->since ? e->when - w->since : 0;
    w->over = true;
    f->ran = w->ran;
    f->waited = w->waited + waited;
    add_wait(site_times(r, f->site), waited, f->outermost);
    add_wait(pair_times(r, f->pair), waited, f->outermost_of_pair);
    add_wait(node_times(r, f->node), waited, true);
}

static void let_wait(struct replay *r, const struct tape_entry *e, const struct frame *f)
{
    uint64_t key = (uint64_t)tape_activation(r->tape, e->number) + 1;
    uint32_t known = key > 1 ? counts_get(&r->waiting, key) : 0;
    struct wait *more = known ? r->wait : array_room(r->wait, r->waits, &r->waits_room, sizeof *more);
    r->failed |= !more;
    if (!more)
        return;
    r->wait = more;
    if (!known) {
        known = ++r->waits;
        if (key > 1)
            remember(r, &r->waiting, key, known);
    }
    more[known - 1] = (struct wait){.since = e->when, .ran = f->ran, .waited = f->waited, .site = f->site, .node = f->node, .pair = f->pair, .partial = f->partial};
}

static bool is_on_stack(const struct stack *s, uint32_t site)
{
    for (uint32_t i = s->depth; i-- > 0;)
        if (s->frame[i].number == site)
            return true;
    return false;
}

/* Calls above it, whose ends nobody saw, end with it. One that is not there began before the tape did. */
static void leave(struct replay *r, const struct tape_entry *e)
{
    const struct stack *s = &r->stack[e->thread];
    if (!is_on_stack(s, e->site))
        return;
    while (s->frame[s->depth - 1].number != e->site)
        pop(r, e->thread, e->when);
    struct frame f = pop(r, e->thread, e->when);
    if (e->event == TAPE_SUSPEND) {
        let_wait(r, e, &f);
        return;
    }
    if (!f.partial)
        count_duration(r, &f);
    if (e->raised) {
        site_times(r, f.site)->raised++;
        pair_times(r, f.pair)->raised++;
        node_times(r, f.node)->raised++;
    }
}

/* ---- what is open at the end ---- */

static void count_open(struct replay *r, uint32_t site, uint32_t pair, uint32_t node, bool waits)
{
    struct profile_times *times[] = {site_times(r, site), pair_times(r, pair), node_times(r, node)};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        times[i]->open++;
        times[i]->suspended += waits;
    }
}

/* Where entries were dropped nobody knows which are. */
static void end_all(struct replay *r, uint64_t until)
{
    for (uint32_t i = 0; i < r->tape->threads; i++)
        while (r->stack[i].depth) {
            struct frame f = pop(r, i, until);
            if (!r->tape->dropped)
                count_open(r, f.site, f.pair, f.node, false);
        }
    for (uint32_t i = 0; i < r->waits; i++)
        if (!r->wait[i].over && !r->tape->dropped)
            count_open(r, r->wait[i].site, r->wait[i].pair, r->wait[i].node, true);
}

/* ---- the whole ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct profile_pair *x = a, *y = b;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return (x->callee > y->callee) - (x->callee < y->callee);
}

static int compare_buckets(const void *a, const void *b) { return profile_bucket_compare(a, b); }

static void set_order(struct replay *r)
{
    struct profile *p = r->p;
    for (uint32_t i = 1; i <= p->nodes; i++)
        p->node[i].first_child = siblings_sort(p, p->node[i].first_child);
    for (uint32_t i = 0; i < p->threads; i++) {
        p->thread[i].first_root = p->node[r->stack[i].top].first_child;
        for (uint32_t k = p->thread[i].first_root; k; k = p->node[k].next_sibling)
            p->thread[i].roots += p->node[k].t.inclusive;
    }
    if (p->pairs)
        qsort(p->pair, p->pairs, sizeof *p->pair, compare_pairs);
    if (p->buckets)
        qsort(p->bucket, p->buckets, sizeof *p->bucket, compare_buckets);
    for (uint32_t i = 0; i < p->sites; i++) {
        const struct durations *d = &r->durations[i];
        p->site[i].spread.deviation = deviation_of(d->count, d->sum, d->squares);
        p->site[i].processes = metric_any(&p->site[i].t);
    }
}

static bool begin(struct replay *r)
{
    struct profile *p = r->p;
    uint32_t threads = r->tape->threads;
    r->stack = calloc((size_t)threads + 1, sizeof *r->stack);
    r->durations = calloc((size_t)p->sites + 1, sizeof *r->durations);
    p->thread = calloc((size_t)threads + 1, sizeof *p->thread);
    r->failed = !r->stack || !r->durations || !p->thread || !counts_init(&r->child) || !counts_init(&r->pair) || !counts_init(&r->open) ||
                !counts_init(&r->waiting) || !counts_init(&r->bucket);
    for (uint32_t i = 0; i < threads && !r->failed; i++) {
        p->thread[p->threads++] = (struct profile_thread){.lane = i + 1, .complete = true, .count = 1};
        r->stack[i].top = new_node(r, 0, 0);
    }
    return !r->failed;
}

static void end(struct replay *r)
{
    for (uint32_t i = 0; r->stack && i < r->tape->threads; i++)
        free(r->stack[i].frame);
    free(r->stack);
    free(r->durations);
    free(r->wait);
    counts_free(&r->child);
    counts_free(&r->pair);
    counts_free(&r->open);
    counts_free(&r->waiting);
    counts_free(&r->bucket);
}

int tape_trees_make(struct profile *p, const struct tape *t, uint64_t until)
{
    typedef void take_entry(struct replay *r, const struct tape_entry *e);
    static take_entry *const take[TAPE_EVENTS] = {
        [TAPE_ENTER] = begin_call, [TAPE_EXIT] = leave, [TAPE_SUSPEND] = leave, [TAPE_RESUME] = go_on};
    struct replay r = {.p = p, .tape = t};
    bool going = begin(&r);
    for (uint64_t i = 0; i < t->kept && going; i++) {
        take[t->entry[i].event](&r, &t->entry[i]);
        going = !r.failed;
    }
    if (going) {
        end_all(&r, until);
        set_order(&r);
    }
    end(&r);
    return r.failed ? -ENOMEM : 0;
}
