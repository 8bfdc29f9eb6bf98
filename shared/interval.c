#include "interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "interval_spreads.h"
#include "interval_trees.h"

/* ---- functions ---- */

static bool copy_names(struct profile_site *site)
{
    site->name = strdup(site->name);
    site->qualname = strdup(site->qualname);
    site->module = strdup(site->module);
    site->file = strdup(site->file);
    return site->name && site->qualname && site->module && site->file;
}

static int add_sites(struct profile *p, const struct profile *now, const struct profile *before)
{
    p->site = calloc((size_t)now->sites + 1, sizeof *p->site);
    if (!p->site)
        return -ENOMEM;
    for (uint32_t i = 0; i < now->sites; i++) {
        const struct profile_site *earlier = profile_site(before, now->site[i].id);
        struct profile_site *site = &p->site[p->sites++];
        *site = now->site[i];
        if (!copy_names(site))
            return -ENOMEM;
        if (earlier)
            metric_subtract(&site->t, &earlier->t);
        site->processes = metric_any(&site->t) ? site->processes : 0;
        p->calls += site->t.calls;
    }
    return 0;
}

/* ---- pairs ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct profile_pair *x = a, *y = b;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return (x->callee > y->callee) - (x->callee < y->callee);
}

static int add_pairs(struct profile *p, const struct profile *now, const struct profile *before)
{
    p->pair = calloc((size_t)now->pairs + 1, sizeof *p->pair);
    if (!p->pair)
        return -ENOMEM;
    for (uint32_t i = 0; i < now->pairs; i++) {
        struct profile_pair pair = now->pair[i];
        const struct profile_pair *earlier =
            before->pairs ? bsearch(&pair, before->pair, before->pairs, sizeof pair, compare_pairs) : NULL;
        if (earlier)
            metric_subtract(&pair.t, &earlier->t);
        if (metric_any(&pair.t) || pair.t.open)
            p->pair[p->pairs++] = pair;
    }
    return 0;
}

/* ---- histograms ---- */

static int compare_buckets(const void *a, const void *b) { return profile_bucket_compare(a, b); }

/* How many calls are left in it. */
static uint64_t subtract_bucket(struct profile_bucket *bucket, const struct profile_bucket *earlier)
{
    uint64_t left = 0;
    for (unsigned k = 0; k < HISTOGRAM_STEPS; k++) {
        bucket->count[k] = metric_minus(bucket->count[k], earlier ? earlier->count[k] : 0);
        left += bucket->count[k];
    }
    return left;
}

static int add_buckets(struct profile *p, const struct profile *now, const struct profile *before)
{
    p->bucket = calloc((size_t)now->buckets + 1, sizeof *p->bucket);
    if (!p->bucket)
        return -ENOMEM;
    for (uint32_t i = 0; i < now->buckets; i++) {
        struct profile_bucket bucket = now->bucket[i];
        const struct profile_bucket *earlier =
            before->buckets ? bsearch(&bucket, before->bucket, before->buckets, sizeof bucket, compare_buckets) : NULL;
        if (subtract_bucket(&bucket, earlier))
            p->bucket[p->buckets++] = bucket;
    }
    return 0;
}

/* ---- what is not in the numbers ---- */

static void subtract_counters(struct profile *p, const struct profile *now, const struct profile *before)
{
    p->lost = metric_minus(now->lost, before->lost);
    p->unplaced = metric_minus(now->unplaced, before->unplaced);
    p->unpathed = metric_minus(now->unpathed, before->unpathed);
    p->lost_waits = metric_minus(now->lost_waits, before->lost_waits);
    p->clamped = metric_minus(now->clamped, before->clamped);
    p->mismatched = metric_minus(now->mismatched, before->mismatched);
    p->silent_ends = metric_minus(now->silent_ends, before->silent_ends);
    p->paused = metric_minus(now->paused, before->paused);
    p->displaced = metric_minus(now->displaced, before->displaced);
    p->refused_growth = metric_minus(now->refused_growth, before->refused_growth);
    p->lost_lanes = metric_minus(now->lost_lanes, before->lost_lanes);
    p->records = metric_minus(now->records, before->records);
    p->own = metric_minus(now->own, before->own);
}

/* These say how it is. */
static void keep_states(struct profile *p, const struct profile *now, const struct profile *before)
{
    p->moving = now->moving;
    p->untold = now->untold;
    p->lost_sites = now->lost_sites;
    p->lost_interpreters = now->lost_interpreters;
    p->lost_processes = now->lost_processes;
    p->other_clock = now->other_clock;
    p->call_cost = now->call_cost;
    p->complete = now->complete && before->complete;
}

int interval_make(struct profile *p, const struct profile *now, const struct profile *before)
{
    *p = (struct profile){.complete = false};
    subtract_counters(p, now, before);
    keep_states(p, now, before);
    int r = add_sites(p, now, before);
    if (r == 0)
        r = add_pairs(p, now, before);
    if (r == 0)
        r = add_buckets(p, now, before);
    if (r == 0)
        r = interval_add_spreads(p, before);
    if (r == 0)
        r = interval_add_trees(p, now, before);
    if (r < 0)
        profile_free(p);
    return r;
}
