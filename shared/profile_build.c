#include "profile_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "item_key.h"
#include "saturate.h"

static void add_counters(struct profile *p, const struct lane_copy *l)
{
    const struct lane *lane = l->lane;
    p->lost += lane->lost;
    p->clamped += lane->clamped;
    p->mismatched += lane->mismatched;
    p->silent_ends += lane->silent_ends;
    p->lost_waits += lane->lost_waits;
    p->own += lane->own;
    p->records += lane->records;
}

static int add_thread(struct builder *b, const struct lane_copy *l)
{
    struct profile *p = b->p;
    struct profile_thread *t = &p->thread[p->threads++];
    *t = (struct profile_thread){
        .process = b->source->process,
        .lane = (uint64_t)l->page << 32 | l->generation,
        .tid = l->tid,
        .exited = l->state == LANE_EXITED,
        .merged = l->tid == 0,
        .complete = l->complete,
    };
    memcpy(t->name, l->name, sizeof t->name);
    t->count = !l->complete;
    if (l->empty || !l->complete)
        return 0;
    t->count = t->merged ? l->lane->threads : lane_recorded(b->s->image, l->lane, l->head);
    add_counters(p, l);
    return builder_add_tree(b, l, t);
}

static int compare_lanes(const void *a, const void *b)
{
    const struct lane_copy *x = *(const struct lane_copy *const *)a, *y = *(const struct lane_copy *const *)b;
    if ((x->tid == 0) != (y->tid == 0))
        return x->tid == 0 ? 1 : -1; /* the merged ones last */
    if (x->began != y->began)
        return x->began < y->began ? -1 : 1;
    return (x->page > y->page) - (x->page < y->page);
}

/* Exited threads that recorded nothing since the last reset are nobody's concern. */
static int add_threads(struct builder *b)
{
    const struct snapshot *s = b->s;
    const struct lane_copy **order = calloc((size_t)s->lanes + 1, sizeof *order);
    uint32_t count = 0;
    int r = order ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < s->lanes && r == 0; i++)
        if (!s->lane[i].empty || s->lane[i].state == LANE_LIVE)
            order[count++] = &s->lane[i];
    if (count)
        qsort(order, count, sizeof *order, compare_lanes);
    for (uint32_t i = 0; i < count && r == 0; i++)
        r = add_thread(b, order[i]);
    free(order);
    return r;
}

static int compare_blocks(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    return (x->site > y->site) - (x->site < y->site);
}

/* What several blocks say together. */
struct extent {
    struct histogram h;
    uint64_t min, max;
};

static void extent_add(struct extent *x, const struct bucket_block *b)
{
    unsigned exponent = key_block_exponent(b->item.key);
    uint64_t min = b->min, max = b->max;
    for (unsigned k = 0; k < HISTOGRAM_STEPS; k++)
        histogram_add(&x->h, exponent, k, b->count[k]);
    x->min = min < x->min ? min : x->min;
    x->max = max > x->max ? max : x->max;
}

/* The two extents of a function: how long calls ran, and with what they waited. */
struct extents {
    struct extent ran, elapsed;
};

static void extents_clear(struct extents *x)
{
    memset(x, 0, sizeof *x);
    x->ran.min = x->elapsed.min = UINT64_MAX;
}

static void extents_add(struct extents *x, const struct bucket_block *b)
{
    unsigned kind = key_block_kind(b->item.key);
    if (kind != BLOCK_ELAPSED)
        extent_add(&x->ran, b);
    if (kind != BLOCK_RAN)
        extent_add(&x->elapsed, b);
}

static uint64_t quantile(const struct extent *x, double fraction)
{
    uint64_t v = histogram_quantile(&x->h, fraction);
    return v < x->min ? x->min : v > x->max ? x->max : v;
}

/* Of few numbers that lie between two, it is half of what is between them at most: a bound for sums that something is missing from. */
static uint64_t deviation_within(const struct extent *x, const struct site_sums *sums)
{
    uint64_t deviation = deviation_of(x->h.total, sums->ended, sums->squares), most = x->max > x->min ? (x->max - x->min) / 2 + 1 : 0;
    return deviation < most ? deviation : most;
}

static struct profile_spread spread_of(const struct extents *x, const struct site_sums *sums)
{
    const struct extent *ran = &x->ran, *elapsed = &x->elapsed;
    struct profile_spread s = {.ended = ran->h.total};
    if (ran->h.total) {
        s.min = ran->min;
        s.max = ran->max;
        s.p50 = quantile(ran, 0.50);
        s.p95 = quantile(ran, 0.95);
        s.p99 = quantile(ran, 0.99);
        s.deviation = deviation_within(ran, sums);
    }
    if (elapsed->h.total) {
        s.elapsed_min = elapsed->min;
        s.elapsed_max = elapsed->max;
        s.elapsed_p50 = quantile(elapsed, 0.50);
        s.elapsed_p95 = quantile(elapsed, 0.95);
        s.elapsed_p99 = quantile(elapsed, 0.99);
    }
    return s;
}

static int add_spreads(struct builder *b)
{
    struct extents *x = malloc(sizeof *x);
    if (!x)
        return -ENOMEM;
    if (b->blocks)
        qsort(b->block, b->blocks, sizeof *b->block, compare_blocks);
    for (size_t i = 0; i < b->blocks;) {
        uint32_t site = b->block[i].site;
        extents_clear(x);
        for (; i < b->blocks && b->block[i].site == site; i++)
            extents_add(x, b->block[i].block);
        struct profile_site *s = builder_site(b->p, site);
        if (!s)
            continue;
        s->spread = spread_of(x, &b->sums[s - b->p->site]);
        s->outermost = s->spread.ended ? b->sums[s - b->p->site].outermost : 0;
    }
    free(x);
    return 0;
}

static bool fill_site(struct profile_site *site, const struct snapshot *s, const struct site_record *r, uint32_t id, bool brief)
{
    *site = (struct profile_site){.id = id, .line = r->line, .track = r->track, .kind = r->kind};
    if (brief)
        return true;
    site->name = snapshot_text(s, r->name);
    site->qualname = snapshot_text(s, r->qualname);
    site->module = snapshot_text(s, r->module);
    site->file = snapshot_text(s, r->file);
    return site->name && site->qualname && site->module && site->file;
}

/* A row for each that is not there yet: p->site[id], with holes. */
static int add_source_sites(struct builder *b)
{
    struct profile *p = b->p;
    for (uint32_t i = 1; i <= b->s->sites; i++) {
        const struct site_record *r = &b->s->site[i];
        uint32_t id = builder_site_id(b, i);
        if (r->kind == SITE_OWN || !id || p->site[id].id || builder_shown(b, i) != i)
            continue;
        bool whole = fill_site(&p->site[id], b->s, r, id, b->source->brief);
        p->sites = id + 1 > p->sites ? id + 1 : p->sites;
        if (!whole)
            return -ENOMEM;
    }
    return 0;
}

static void close_holes(struct profile *p)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->sites; i++)
        if (p->site[i].id)
            p->site[kept++] = p->site[i];
    p->sites = kept;
}

static uint32_t last_site(const struct profile_source *s)
{
    uint32_t last = s->site ? 0 : s->snapshot->sites;
    for (uint32_t i = 1; s->site && i <= s->snapshot->sites; i++)
        last = s->site[i] > last ? s->site[i] : last;
    return last;
}

typedef int visit_source(struct builder *b);

static int each_source(struct builder *b, const struct profile_source *source, visit_source *visit)
{
    int r = 0;
    for (b->source = source; b->source < b->end && r == 0; b->source++) {
        b->s = b->source->snapshot;
        b->view = b->source->view;
        r = visit(b);
    }
    return r;
}

static int add_sites(struct builder *b, const struct profile_source *source)
{
    uint32_t last = 0;
    for (const struct profile_source *s = source; s < b->end; s++) {
        uint32_t id = last_site(s);
        last = id > last ? id : last;
    }
    b->p->site = calloc((size_t)last + 1, sizeof *b->p->site);
    int r = b->p->site ? each_source(b, source, add_source_sites) : -ENOMEM;
    if (r < 0)
        return r;
    close_holes(b->p);
    b->sums = calloc((size_t)b->p->sites + 1, sizeof *b->sums);
    return b->sums ? 0 : -ENOMEM;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct profile_pair *x = a, *y = b;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return (x->callee > y->callee) - (x->callee < y->callee);
}

static void add_header(struct builder *b)
{
    struct profile *p = b->p;
    const struct snapshot *s = b->s;
    const struct segment_header *h = &s->header;
    p->moving += s->moving;
    p->lost_sites += h->lost_sites;
    p->lost_lanes += h->lost_lanes;
    p->lost_interpreters += h->interpreters;
    p->lost += h->lost_calls;
    p->paused += h->paused;
    p->displaced += h->displaced;
    p->refused_growth += h->refused_growth;
    p->call_cost = h->call_cost > p->call_cost ? h->call_cost : p->call_cost;
    p->complete &= s->complete && !audience_view_is_short(&b->view);
    for (uint32_t i = 0; i < s->lanes; i++)
        p->records += s->lane[i].empty ? 0 : s->lane[i].head - s->lane[i].lane->first;
}

/* A call costs what it does on average. */
static int add_source(struct builder *b)
{
    uint64_t before = b->p->calls;
    add_header(b);
    int r = add_threads(b);
    b->call_costs += (double)(b->p->calls - before) * (double)b->s->header.call_cost;
    return r;
}

static int add_sources(struct builder *b, const struct profile_source *source)
{
    struct profile *p = b->p;
    size_t threads = 0;
    for (const struct profile_source *s = source; s < b->end; s++)
        threads += s->snapshot->lanes;
    p->thread = calloc(threads + 1, sizeof *p->thread);
    int r = p->thread ? each_source(b, source, add_source) : -ENOMEM;
    if (p->calls)
        p->call_cost = saturated(b->call_costs / (double)p->calls);
    return r;
}

int profile_make(struct profile *p, const struct snapshot *s)
{
    return profile_make_sum(p, &(struct profile_source){.snapshot = s}, 1);
}

int profile_make_view(struct profile *p, const struct snapshot *s, uint32_t consumer)
{
    struct profile_source source = {.snapshot = s};
    int r = audiences_view(&s->audiences, consumer, &source.view);
    return r == 0 ? profile_make_sum(p, &source, 1) : r;
}

int profile_make_sum(struct profile *p, const struct profile_source *source, size_t count)
{
    *p = (struct profile){.complete = true};
    struct builder b = {.p = p, .end = source + count};
    int r = counts_init(&b.pair_index) && counts_init(&b.open) ? 0 : -ENOMEM;
    if (r == 0)
        r = add_sites(&b, source);
    if (r == 0)
        r = add_sources(&b, source);
    if (r == 0)
        r = add_spreads(&b);
    if (r == 0)
        r = builder_keep_buckets(&b);
    if (r == 0 && p->pairs)
        qsort(p->pair, p->pairs, sizeof *p->pair, compare_pairs);
    counts_free(&b.pair_index);
    counts_free(&b.open);
    counts_free(&b.known);
    free(b.origin);
    free(b.block);
    free(b.sums);
    if (r < 0)
        profile_free(p);
    return r;
}
