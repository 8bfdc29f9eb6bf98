#include "interval_spreads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deviation.h"
#include "segment.h"

/* Of a function: how long the calls ran that have ended, and with what they waited. */
struct histograms {
    struct histogram ran, elapsed;
};

static void add_bucket(struct histograms *h, const struct profile_bucket *b)
{
    for (unsigned step = 0; step < HISTOGRAM_STEPS; step++) {
        if (b->kind != BLOCK_ELAPSED)
            histogram_add(&h->ran, b->exponent, step, b->count[step]);
        if (b->kind != BLOCK_RAN)
            histogram_add(&h->elapsed, b->exponent, step, b->count[step]);
    }
}

static uint64_t within(uint64_t value, uint64_t least, uint64_t most) { return value < least ? least : value > most ? most : value; }

/* The middle of the first and of the last step that has calls. */
static void find_ends(const struct histogram *h, uint64_t *first, uint64_t *last)
{
    bool any = false;
    for (unsigned e = 0; e < HISTOGRAM_EXPONENTS; e++)
        for (unsigned k = 0; k < HISTOGRAM_STEPS; k++) {
            if (!h->count[e][k])
                continue;
            *first = any ? *first : histogram_value(e, k);
            *last = histogram_value(e, k);
            any = true;
        }
}

/* Shortest and longest of all calls until now become those of the interval: they are, if they are beyond those before. */
static void narrow(const struct histogram *h, bool earlier, uint64_t min_before, uint64_t max_before, uint64_t *min, uint64_t *max)
{
    uint64_t least = *min, most = *max, first = least, last = most;
    find_ends(h, &first, &last);
    if (earlier && min_before <= least)
        *min = within(first, least, most);
    if (earlier && max_before >= most)
        *max = within(last, *min, most);
}

/* As if each call had taken the middle of its step. Of numbers that lie between two, it is half of what is between them at most. */
static uint64_t deviation_by_steps(const struct histogram *h, uint64_t min, uint64_t max)
{
    uint64_t sum = 0;
    uint128 squares = 0;
    for (unsigned e = 0; e < HISTOGRAM_EXPONENTS; e++)
        for (unsigned k = 0; k < HISTOGRAM_STEPS; k++) {
            uint64_t value = h->count[e][k] ? histogram_value(e, k) : 0;
            sum += h->count[e][k] * value;
            squares += (uint128)value * value * h->count[e][k];
        }
    return within(deviation_of(h->total, sum, squares), 0, (max - min) / 2);
}

static void set_ran(struct profile_spread *s, const struct histogram *h, const struct profile_spread *before)
{
    s->ended = h->total;
    if (!h->total) {
        s->min = s->max = s->p50 = s->p95 = s->p99 = s->deviation = 0;
        return;
    }
    narrow(h, before->ended, before->min, before->max, &s->min, &s->max);
    s->p50 = within(histogram_quantile(h, 0.50), s->min, s->max);
    s->p95 = within(histogram_quantile(h, 0.95), s->min, s->max);
    s->p99 = within(histogram_quantile(h, 0.99), s->min, s->max);
    if (before->ended)
        s->deviation = deviation_by_steps(h, s->min, s->max);
}

static void set_elapsed(struct profile_spread *s, const struct histogram *h, const struct profile_spread *before)
{
    if (!h->total) {
        s->elapsed_min = s->elapsed_max = s->elapsed_p50 = s->elapsed_p95 = s->elapsed_p99 = 0;
        return;
    }
    narrow(h, before->ended, before->elapsed_min, before->elapsed_max, &s->elapsed_min, &s->elapsed_max);
    s->elapsed_p50 = within(histogram_quantile(h, 0.50), s->elapsed_min, s->elapsed_max);
    s->elapsed_p95 = within(histogram_quantile(h, 0.95), s->elapsed_min, s->elapsed_max);
    s->elapsed_p99 = within(histogram_quantile(h, 0.99), s->elapsed_min, s->elapsed_max);
}

int interval_add_spreads(struct profile *p, const struct profile *before)
{
    struct histograms *h = malloc(sizeof *h);
    if (!h)
        return -ENOMEM;
    for (uint32_t i = 0, k = 0; i < p->sites; i++) {
        struct profile_site *site = &p->site[i];
        const struct profile_site *earlier = profile_site(before, site->id);
        const struct profile_spread none = {0}, *spread = earlier ? &earlier->spread : &none;
        memset(h, 0, sizeof *h);
        for (; k < p->buckets && p->bucket[k].site <= site->id; k++)
            if (p->bucket[k].site == site->id)
                add_bucket(h, &p->bucket[k]);
        set_ran(&site->spread, &h->ran, spread);
        set_elapsed(&site->spread, &h->elapsed, spread);
    }
    free(h);
    return 0;
}
