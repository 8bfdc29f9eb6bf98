#include "naming.h"

#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "recorder.h"

static struct {
    uint32_t *first; /* by site; 0: not looked at */
    uint32_t room;
    struct counts by_hash; /* hash of a name -> its first site */
} n;

void naming_forget(void)
{
    free(n.first);
    counts_free(&n.by_hash);
    memset(&n, 0, sizeof n);
}

/* FNV-1a. Names of equal hashes lie one after the other. */
static uint64_t hash_of(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

static uint32_t find(uint32_t site)
{
    char name[SITE_STRING_MAX + 1], other[SITE_STRING_MAX + 1];
    if (!n.by_hash.room && !counts_init(&n.by_hash))
        return site;
    sites_name(recorder_sites(), site, name, sizeof name);
    for (uint64_t h = hash_of(name);; h++) {
        uint32_t first = h ? counts_get(&n.by_hash, h) : 0;
        if (first && strcmp(sites_name(recorder_sites(), first, other, sizeof other), name) == 0)
            return first;
        if (h && !first) {
            counts_set(&n.by_hash, h, site);
            return site;
        }
    }
}

static bool make_room(uint32_t site)
{
    uint32_t room = site + 64 > 2 * n.room ? site + 64 : 2 * n.room;
    uint32_t *more = realloc(n.first, room * sizeof *more);
    if (!more)
        return false;
    memset(more + n.room, 0, (room - n.room) * sizeof *more);
    n.first = more;
    n.room = room;
    return true;
}

uint32_t naming_first(uint32_t site)
{
    if (site >= n.room && !make_room(site))
        return site;
    if (!n.first[site])
        n.first[site] = find(site);
    return n.first[site];
}
