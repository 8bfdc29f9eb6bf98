#include "naming.h"

#include <stdlib.h>
#include <string.h>

#include "counts.h"
#include "recorder.h"

static struct {
    uint32_t *first; /* by site; 0: not looked at */
    uint32_t room;
    struct counts by_name; /* ref of a name -> its first site */
} n;

void naming_forget(void)
{
    free(n.first);
    counts_free(&n.by_name);
    memset(&n, 0, sizeof n);
}

static uint32_t find(uint32_t site)
{
    uint32_t name = sites_name_ref(recorder_sites(), site);
    if (!name || (!n.by_name.room && !counts_init(&n.by_name)))
        return site;
    uint32_t first = counts_get(&n.by_name, name);
    if (!first)
        counts_set(&n.by_name, name, site);
    return first ? first : site;
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
