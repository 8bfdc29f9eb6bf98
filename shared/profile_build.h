/* Making a profile. For profile*.c only. */
#ifndef TSCAP_PROFILE_BUILD_H
#define TSCAP_PROFILE_BUILD_H

#include "counts.h"
#include "deviation.h"
#include "profile.h"

struct builder {
    struct profile *p;
    const struct profile_source *source, *end;
    const struct snapshot *s; /* of the source whose turn it is */
    struct audience_view view; /* what of it is seen */
    double call_costs;        /* picoseconds; of all calls */
    struct counts pair_index; /* caller, callee -> 1 + index in p->pair */
    struct counts open;       /* sites and pairs open on the path being walked */
    struct counts known;      /* paths and pairs of the lane that has several nodes of one -> index in p->node; else no room */
    struct origin {
        uint32_t site, caller; /* by the source's numbers */
        uint32_t flags;        /* enum node_flag */
        uint64_t ended;        /* ticks: durations of calls that ended there, modulo 2^64 */
        uint64_t apart;        /* of them: of those with RECORD_APART */
        uint128 squares;       /* of them */
    } *origin; /* of p->node, by index */
    uint32_t audience; /* of the lane's first node */
    bool mixed;        /* it has others, or not everything is seen, or what is one site has several numbers */
    struct block {
        uint32_t site;
        const struct bucket_block *block;
    } *block;
    size_t blocks, blocks_room;
    struct site_sums {
        uint64_t ended;
        uint64_t outermost;
        uint128 squares;
    } *sums; /* of p->site, by index: of its origins */
    uint32_t nodes_room, origins_room, pairs_room;
};

/* Whose calls are those of this site, by the source's numbers. */
static inline uint32_t builder_shown(const struct builder *b, uint32_t site) { return b->source->apart ? site : snapshot_function(b->s, site); }

/* What the current source's site is called in the profile; 0: it is the recorder's own. */
static inline uint32_t builder_site_id(const struct builder *b, uint32_t id)
{
    const uint32_t *map = b->source->site;
    return !map ? id : id <= b->s->sites ? map[id] : 0;
}

static inline struct profile_site *builder_site(struct profile *p, uint32_t id) { return (struct profile_site *)profile_site(p, id); }

/* The lane's tree: its nodes, and what they add to sites and pairs. 0 or -ENOMEM. */
int builder_add_tree(struct builder *b, const struct lane_copy *l, struct profile_thread *t);

/* What b->block counts, for p->bucket. 0 or -ENOMEM. */
int builder_keep_buckets(struct builder *b);

#endif
