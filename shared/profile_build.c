#include "profile_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"

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

static uint64_t within(uint64_t v, const struct profile_site *s) { return v < s->min ? s->min : v > s->max ? s->max : v; }

static void set_quantiles(struct profile_site *s, const struct histogram *h)
{
    s->ended = h->total;
    s->p50 = within(histogram_quantile(h, 0.50), s);
    s->p95 = within(histogram_quantile(h, 0.95), s);
    s->p99 = within(histogram_quantile(h, 0.99), s);
}

static int add_quantiles(struct builder *b)
{
    struct histogram *h = malloc(sizeof *h);
    if (!h)
        return -ENOMEM;
    if (b->blocks)
        qsort(b->block, b->blocks, sizeof *b->block, compare_blocks);
    for (size_t i = 0; i < b->blocks;) {
        uint32_t site = b->block[i].site;
        memset(h, 0, sizeof *h);
        for (; i < b->blocks && b->block[i].site == site; i++)
            for (unsigned k = 0; k < HISTOGRAM_STEPS; k++)
                histogram_add(h, b->block[i].exponent, k, b->block[i].block->count[k]);
        struct profile_site *s = builder_site(b->p, site);
        if (s && h->total)
            set_quantiles(s, h);
    }
    free(h);
    for (uint32_t i = 0; i < b->p->sites; i++)
        if (b->p->site[i].min == UINT64_MAX)
            b->p->site[i].min = 0; /* no call has ended */
    return 0;
}

static char *copy_string(const struct snapshot *s, uint32_t ref)
{
    char buffer[2048];
    return strdup(snapshot_string(s, ref, buffer, sizeof buffer));
}

static bool fill_site(struct profile_site *site, const struct snapshot *s, const struct site_record *r, uint32_t id)
{
    *site = (struct profile_site){.id = id, .line = r->line, .track = r->track, .kind = r->kind, .min = UINT64_MAX};
    site->name = copy_string(s, r->name);
    site->qualname = copy_string(s, r->qualname);
    site->module = copy_string(s, r->module);
    site->file = copy_string(s, r->file);
    return site->name && site->qualname && site->module && site->file;
}

/* A row for each that is not there yet: p->site[id], with holes. */
static int add_source_sites(struct builder *b)
{
    struct profile *p = b->p;
    for (uint32_t i = 1; i <= b->s->sites; i++) {
        const struct site_record *r = &b->s->site[i];
        uint32_t id = builder_site_id(b, i);
        if (r->kind == SITE_OWN || !id || p->site[id].id)
            continue;
        bool whole = fill_site(&p->site[id], b->s, r, id);
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
        b->view = (struct audience_view){.audiences = NULL};
        if (b->source->consumer)
            r = audiences_view(&b->s->audiences, b->source->consumer, &b->view);
        if (r == 0)
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
    if (r == 0)
        close_holes(b->p);
    return r;
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
        p->call_cost = (uint64_t)(b->call_costs / (double)p->calls + 0.5);
    return r;
}

int profile_make(struct profile *p, const struct snapshot *s)
{
    return profile_make_sum(p, &(struct profile_source){.snapshot = s}, 1);
}

int profile_make_view(struct profile *p, const struct snapshot *s, uint32_t consumer)
{
    return profile_make_sum(p, &(struct profile_source){.snapshot = s, .consumer = consumer}, 1);
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
        r = add_quantiles(&b);
    if (r == 0 && p->pairs)
        qsort(p->pair, p->pairs, sizeof *p->pair, compare_pairs);
    counts_free(&b.pair_index);
    counts_free(&b.open);
    counts_free(&b.known);
    free(b.origin);
    free(b.block);
    if (r < 0)
        profile_free(p);
    return r;
}
