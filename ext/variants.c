#include "variants.h"

#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "recorder.h"

struct variant {
    uint32_t function; /* 0: this site is no variant */
    uint32_t label;
};

bool variants_known;

static struct {
    struct counts site; /* a label and a function's site -> their site */
    struct variant *of; /* by site; [room] */
    uint32_t room;
} v;

void variants_forget(void)
{
    counts_free(&v.site);
    free(v.of);
    memset(&v, 0, sizeof v);
    variants_known = false;
}

static bool make_room(uint32_t site)
{
    if (site < v.room)
        return true;
    uint32_t room = site + 64 > 2 * v.room ? site + 64 : 2 * v.room;
    struct variant *more = realloc(v.of, room * sizeof *more);
    if (!more)
        return false;
    memset(more + v.room, 0, (room - v.room) * sizeof *more);
    v.of = more;
    v.room = room;
    return true;
}

static uint32_t lose(uint32_t function)
{
    atomic_fetch_add_explicit(&recorder_segment()->header->lost_sites, 1, memory_order_relaxed);
    return function;
}

/* First our own tables, which can fail without a trace; what the segment has no room for is not asked for again. */
static uint32_t make(uint32_t function, uint32_t label, uint64_t key)
{
    if (!make_room(sites_count(recorder_sites()) + 1) || !counts_set(&v.site, key, function))
        return lose(function);
    uint32_t site = sites_add_variant(recorder_sites(), function); /* counts its loss */
    if (!site)
        return function;
    counts_set(&v.site, key, site); /* its key is there */
    v.of[site] = (struct variant){.function = function, .label = label};
    variants_known = true;
    return site;
}

uint32_t variants_site(uint32_t function, uint32_t label)
{
    uint64_t key = (uint64_t)label << 32 | function;
    if (!v.site.room && !counts_init(&v.site))
        return lose(function);
    uint32_t known = counts_get(&v.site, key);
    return known ? known : make(function, label, key);
}

uint32_t variants_function_slow(uint32_t site) { return site < v.room && v.of[site].function ? v.of[site].function : site; }

uint32_t variants_label(uint32_t site) { return site < v.room ? v.of[site].label : 0; }
