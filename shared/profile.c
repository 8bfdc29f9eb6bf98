#include "profile.h"

#include <stdio.h>
#include <stdlib.h>

void profile_free(struct profile *p)
{
    for (uint32_t i = 0; i < p->sites; i++) {
        free(p->site[i].name);
        free(p->site[i].qualname);
        free(p->site[i].module);
        free(p->site[i].file);
    }
    free(p->site);
    free(p->pair);
    free(p->bucket);
    free(p->node);
    free(p->thread);
    *p = (struct profile){.complete = false};
}

enum profile_gap profile_gap(const struct profile *p)
{
    const bool lacks[] = {
        [PROFILE_LACKS_PROCESSES] = p->lost_processes,
        [PROFILE_LACKS_OTHER_CLOCK] = p->other_clock,
        [PROFILE_LACKS_SITES] = p->lost_sites,
        [PROFILE_LACKS_INTERPRETERS] = p->lost_interpreters,
        [PROFILE_LACKS_DATA] = !p->complete,
        [PROFILE_LACKS_WAITS] = p->lost_waits,
    };
    for (enum profile_gap gap = PROFILE_WHOLE + 1; gap < sizeof lacks / sizeof *lacks; gap++)
        if (lacks[gap])
            return gap;
    return PROFILE_WHOLE;
}

uint32_t profile_next(const struct profile *p, uint32_t i, unsigned *depth)
{
    if (p->node[i].first_child) {
        ++*depth;
        return p->node[i].first_child;
    }
    while (i && !p->node[i].next_sibling && *depth) {
        i = p->node[i].parent;
        --*depth;
    }
    return p->node[i].next_sibling;
}

/* Sites are in the order of their ids, but not all ids are there. */
const struct profile_site *profile_site(const struct profile *p, uint32_t id)
{
    uint32_t first = p->sites ? p->site[0].id : 1, last = p->sites ? p->site[p->sites - 1].id : 0;
    if (id < first || id > last)
        return NULL;
    /* They rise: as many as are missing between the first and the last is how far one may be from where it would be. */
    uint32_t missing = last - first + 1 - p->sites, at = id - first;
    uint32_t low = at > missing ? at - missing : 0, high = at < p->sites ? at + 1 : p->sites;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->site[middle].id == id)
            return &p->site[middle];
        if (p->site[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool profile_closes_untold(const struct segment_header *h)
{
    unsigned minor, micro;
    if (sscanf(h->python, "3.%u.%u", &minor, &micro) != 2)
        return false;
    return (minor == 13 && micro < 10) || (minor == 14 && micro < 1);
}
