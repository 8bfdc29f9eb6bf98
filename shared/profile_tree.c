#include "profile_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "chain.h"
#include "item_key.h"
#include "siblings.h"

/* An array that doubles. */
static bool reserve(void **array, uint32_t *room, uint32_t needed, size_t size)
{
    if (needed <= *room)
        return true;
    uint32_t more = *room ? *room : 64;
    while (more < needed)
        more *= 2;
    void *p = realloc(*array, more * size);
    if (!p)
        return false;
    memset((char *)p + *room * size, 0, (more - *room) * size);
    *array = p;
    *room = more;
    return true;
}

static uint64_t site_open_key(uint32_t site) { return 1ull << 63 | site; }
static uint64_t pair_key(uint32_t caller, uint32_t callee) { return 1ull << 62 | (uint64_t)caller << 24 | callee; }

static struct profile_times times_of(struct profile *p, const struct node *n)
{
    struct profile_times t = {.calls = n->calls, .open = n->cut, .raised = n->raised, .inclusive = n->inclusive, .waited = n->waited, .bytes = n->bytes};
    uint64_t children = n->children, off = n->off_inclusive, off_children = n->off_children;
    p->clamped += children > t.inclusive;
    t.exclusive = t.inclusive > children ? t.inclusive - children : 0;
    t.elapsed = t.inclusive + t.waited;
    t.off_inclusive = off < t.inclusive ? off : t.inclusive;
    t.off_exclusive = off > off_children ? off - off_children : 0;
    if (t.off_exclusive > t.exclusive)
        t.off_exclusive = t.exclusive;
    return t;
}

typedef int visit_item(struct builder *b, const struct lane_copy *l, void *item);

static int each_item(struct builder *b, const struct lane_copy *l, enum page_kind kind, visit_item *visit)
{
    int r = 0;
    chain_each_page(page, b->s->image, lane_side(l->lane)->chain[kind])
        for (uint32_t i = 0; i < page->used && r == 0; i++)
            r = visit(b, l, page_item(page, i, chain_item_size(kind)));
    return r;
}

static const struct node *node_of(const struct builder *b, segment_ref ref) { return segment_at(b->s->image, ref); }

/* Where a node went is kept in its hint: the image is ours and has been folded. */
static uint32_t index_of(const struct builder *b, segment_ref ref) { return ref ? node_of(b, ref)->scratch : 0; }

/* Functions are selected, and with each its variants. */
static bool is_in_view(const struct builder *b, uint32_t identity)
{
    return audience_view_has(&b->view, identity_pack(snapshot_function(b->s, identity_site(identity)), identity_audience(identity)));
}

static bool is_seen(const struct builder *b, const struct node *n) { return !node_site(n) || is_in_view(b, n->identity); }

static uint32_t site_of(const struct builder *b, const struct node *n) { return builder_shown(b, node_site(n)); }
static uint32_t caller_of(const struct builder *b, const struct node *n) { return builder_shown(b, node_caller(n)); }

/* Nodes that differ only by audience are one, and so are those that do by callers that are not seen, and those of a site and
 * of a variant that is not shown apart. */
static uint64_t known_key(const struct builder *b, const struct node *n, uint32_t parent)
{
    if (n->flags & NODE_PAIR)
        return 1ull << 63 | (uint64_t)n->flags << 48 | (uint64_t)caller_of(b, n) << 24 | site_of(b, n);
    return 1ull << 62 | (uint64_t)parent << 24 | site_of(b, n);
}

static bool is_known(const struct builder *b, const struct node *n, uint32_t parent, uint32_t *i)
{
    *i = b->known.room && node_site(n) ? counts_get(&b->known, known_key(b, n, parent)) : 0;
    return *i;
}

static int new_path(struct builder *b, const struct node *n, uint32_t parent)
{
    struct profile *p = b->p;
    uint32_t i = p->nodes + 1;
    if (!reserve((void **)&p->node, &b->nodes_room, i + 1, sizeof *p->node) ||
        !reserve((void **)&b->origin, &b->origins_room, i + 1, sizeof *b->origin))
        return -ENOMEM;
    p->node[i] = (struct profile_node){.site = builder_site_id(b, site_of(b, n)), .other = n->flags & NODE_OTHER, .parent = parent};
    uint32_t caller = n->flags & NODE_PAIR ? caller_of(b, n) : parent ? b->origin[parent].site : 0;
    b->origin[i] = (struct origin){.site = site_of(b, n), .caller = caller, .flags = n->flags};
    p->nodes = i;
    return b->known.room && node_site(n) && !counts_set(&b->known, known_key(b, n, parent), i) ? -ENOMEM : 0;
}

/* Its time is that of the nearest caller that is seen; on a path without one, nobody's. */
static void give_time(struct builder *b, const struct node *n, uint32_t to)
{
    struct profile_times t = times_of(b->p, n);
    b->p->node[to].t.exclusive += t.exclusive;
    b->p->node[to].t.off_exclusive += t.off_exclusive;
    if (n->flags & NODE_PAIR)
        b->p->unplaced += t.exclusive;
}

static void add_to_path(struct builder *b, const struct node *n, uint32_t i)
{
    struct profile_times t = times_of(b->p, n);
    struct origin *o = &b->origin[i];
    metric_add(&b->p->node[i].t, &t, true);
    o->ended += n->inclusive - n->unended;
    o->apart += n->apart;
    o->squares += node_squares(n);
    if (n->flags & NODE_PAIR)
        b->p->unpathed += t.calls;
}

static int add_node(struct builder *b, const struct lane_copy *l, void *item)
{
    struct node *n = item;
    uint32_t parent = segment_ref_of(b->s->image, n) == lane_side(l->lane)->root ? 0 : index_of(b, n->parent), i;
    if (!is_seen(b, n)) {
        n->scratch = parent;
        give_time(b, n, parent);
        return 0;
    }
    if (!is_known(b, n, parent, &i)) {
        int r = new_path(b, n, parent);
        if (r < 0)
            return r;
        i = b->p->nodes;
    }
    n->scratch = i;
    add_to_path(b, n, i);
    return 0;
}

static int add_suspended(struct builder *b, const struct lane_copy *l, void *item)
{
    const struct suspended *w = item;
    (void)l;
    uint32_t i = index_of(b, (segment_ref)w->node);
    if (i && !((w->node >> 32) & ENTRY_FOREIGN) && is_seen(b, node_of(b, (segment_ref)w->node))) {
        b->p->node[i].t.open++;
        b->p->node[i].t.suspended++;
        b->p->untold += profile_closes_untold(&b->s->header);
    }
    return 0;
}

/* Each open call has run through all of it; the time of the innermost is its own. */
static void add_unknown(struct builder *b, const struct lane_copy *l)
{
    for (size_t i = 0; i < l->opens; i++) {
        struct profile_times *t = &b->p->node[index_of(b, l->open[i])].t;
        if (is_seen(b, node_of(b, l->open[i])))
            t->unknown_inclusive += l->unknown;
        t->unknown_exclusive += i == 0 ? l->unknown : 0;
    }
}

static int add_block(struct builder *b, const struct lane_copy *l, void *item)
{
    const struct bucket_block *block = item;
    uint64_t key = block->item.key;
    uint32_t identity = key_block_identity(key);
    (void)l;
    if (!is_in_view(b, identity))
        return 0;
    struct block *more = array_room(b->block, b->blocks, &b->blocks_room, sizeof *more);
    if (!more)
        return -ENOMEM;
    b->block = more;
    b->block[b->blocks++] = (struct block){.site = builder_site_id(b, builder_shown(b, identity_site(identity))), .block = block};
    return 0;
}

/* A call that was resumed here and ended at once took no time, but has a duration. */
static bool has_anything(const struct profile_node *n, const struct origin *o)
{
    return o->ended || n->t.calls || n->t.bytes || n->t.inclusive || n->t.exclusive || n->t.open || n->t.raised || n->t.waited || n->first_child;
}

/* Sums of what is not to be trusted may be more than there are numbers for. (other), and the root, have what no caller that is
 * seen has. */
static void settle(struct profile *p, struct profile_node *n)
{
    bool odd = (n->parent && n->t.exclusive > n->t.inclusive && !n->other) || n->t.off_inclusive > n->t.inclusive;
    if (!odd)
        return;
    p->clamped++;
    n->t.exclusive = n->t.exclusive < n->t.inclusive ? n->t.exclusive : n->t.inclusive;
    n->t.off_inclusive = n->t.off_inclusive < n->t.inclusive ? n->t.off_inclusive : n->t.inclusive;
    n->t.off_exclusive = n->t.off_exclusive < n->t.exclusive ? n->t.off_exclusive : n->t.exclusive;
}

/* Children to parents, last first: so a node knows whether it has children when its own turn comes. Nodes on which
 * nothing ended are not linked. */
static void link_nodes(const struct builder *b, uint32_t first)
{
    struct profile *p = b->p;
    for (uint32_t i = p->nodes; i > first; i--) {
        struct profile_node *n = &p->node[i];
        settle(p, n);
        if (!has_anything(n, &b->origin[i]) || !n->parent)
            continue;
        n->next_sibling = p->node[n->parent].first_child;
        p->node[n->parent].first_child = i;
    }
}

static struct profile_pair *pair_of(struct builder *b, uint32_t caller, uint32_t callee)
{
    struct profile *p = b->p;
    uint64_t key = pair_key(caller, callee);
    uint32_t i = counts_get(&b->pair_index, key);
    if (i)
        return &p->pair[i - 1];
    if (!reserve((void **)&p->pair, &b->pairs_room, p->pairs + 1, sizeof *p->pair))
        return NULL;
    if (!counts_set(&b->pair_index, key, p->pairs + 1))
        return NULL;
    p->pair[p->pairs] = (struct profile_pair){.caller = caller, .callee = callee};
    return &p->pair[p->pairs++];
}

/* Sources come one after another, so each is counted once. */
static void count_process(const struct builder *b, struct profile_site *site, const struct profile_times *t)
{
    uint32_t turn = (uint32_t)(b->end - b->source);
    if (site->turn == turn || !(t->calls || t->inclusive))
        return;
    site->turn = turn;
    site->processes++;
}

static int account(struct builder *b, uint32_t i, bool site_open, bool pair_open)
{
    struct profile *p = b->p;
    const struct profile_node *pn = &p->node[i];
    const struct origin *o = &b->origin[i];
    struct profile_site *site = builder_site(p, pn->site);
    if (!site) /* the recorder's own */
        return 0;
    struct profile_pair *pair = pair_of(b, builder_site_id(b, o->caller), pn->site);
    if (!pair)
        return -ENOMEM;
    count_process(b, site, &pn->t);
    metric_add(&site->t, &pn->t, !site_open);
    metric_add(&pair->t, &pn->t, !pair_open);
    p->calls += pn->t.calls;
    b->sums[site - p->site].ended += o->ended;
    b->sums[site - p->site].outermost += site_open ? o->apart : o->ended;
    b->sums[site - p->site].squares += o->squares;
    return 0;
}

static int enter_path(struct builder *b, uint32_t caller, uint32_t site)
{
    bool ok = counts_increment(&b->open, site_open_key(site)) && counts_increment(&b->open, pair_key(caller, site));
    return ok ? 0 : -ENOMEM;
}

static void leave_path(struct builder *b, uint32_t caller, uint32_t site)
{
    counts_decrement(&b->open, site_open_key(site));
    counts_decrement(&b->open, pair_key(caller, site));
}

/* Walks the tree below node `top` without recursion; recursion of the profiled program shows as the same site further up. */
static int walk(struct builder *b, uint32_t top)
{
    struct profile *p = b->p;
    uint32_t i = p->node[top].first_child;
    while (i) {
        const struct origin *o = &b->origin[i];
        struct profile_node *pn = &p->node[i];
        bool flat = o->flags & NODE_PAIR, path = !flat && !(o->flags & NODE_OTHER);
        bool site_open = flat ? o->flags & NODE_SITE_OPEN : counts_get(&b->open, site_open_key(o->site)) > 0;
        bool pair_open = flat ? o->flags & NODE_PAIR_OPEN : counts_get(&b->open, pair_key(o->caller, o->site)) > 0;
        pn->t.primitive_calls = site_open ? 0 : pn->t.calls;
        int r = path || flat ? account(b, i, site_open, pair_open) : 0;
        if (r == 0 && path)
            r = enter_path(b, o->caller, o->site);
        if (r < 0)
            return r;
        pn->first_child = siblings_sort(p, pn->first_child);
        if (pn->first_child) {
            i = pn->first_child;
            continue;
        }
        for (;;) { /* up until there is a next one */
            if (!(b->origin[i].flags & (NODE_PAIR | NODE_OTHER)))
                leave_path(b, b->origin[i].caller, b->origin[i].site);
            if (p->node[i].next_sibling) {
                i = p->node[i].next_sibling;
                break;
            }
            i = p->node[i].parent;
            if (i == top) {
                i = 0;
                break;
            }
        }
    }
    return 0;
}

static uint64_t root_ticks(const struct builder *b, uint32_t root)
{
    const struct profile *p = b->p;
    uint64_t sum = 0;
    for (uint32_t i = p->node[root].first_child; i; i = p->node[i].next_sibling) {
        if (!p->node[i].other)
            sum += p->node[i].t.inclusive;
        for (uint32_t k = p->node[i].other ? p->node[i].first_child : 0; k; k = p->node[k].next_sibling)
            if (b->origin[k].caller == 0)
                sum += p->node[k].t.inclusive;
    }
    return sum;
}

/* The recorder tries on a function of its own what a call costs. Another thread may have begun to record meanwhile; what
 * then lands here was called by nobody, and has no row. */
static uint32_t without_own(struct profile *p, uint32_t first)
{
    uint32_t kept = 0, *link = &kept;
    for (uint32_t i = first; i; i = p->node[i].next_sibling)
        if (p->node[i].other || builder_site(p, p->node[i].site)) {
            *link = i;
            link = &p->node[i].next_sibling;
        }
    *link = 0;
    return kept;
}

/* May a path, or a pair, have several nodes? */
static int note_audience(struct builder *b, const struct lane_copy *l, void *item)
{
    const struct node *n = item;
    (void)l;
    if (!node_site(n))
        return 0;
    if (b->audience == UINT32_MAX)
        b->audience = node_audience(n);
    b->mixed = b->mixed || node_audience(n) != b->audience;
    return 0;
}

static int begin_paths(struct builder *b, const struct lane_copy *l)
{
    counts_free(&b->known);
    b->audience = UINT32_MAX;
    b->mixed = b->view.audiences || (b->s->variants && !b->source->apart);
    each_item(b, l, PAGE_NODE, note_audience);
    return !b->mixed || counts_init(&b->known) ? 0 : -ENOMEM;
}

int builder_add_tree(struct builder *b, const struct lane_copy *l, struct profile_thread *t)
{
    struct profile *p = b->p;
    uint32_t first = p->nodes;
    int r = begin_paths(b, l);
    if (r == 0)
        r = each_item(b, l, PAGE_NODE, add_node);
    if (r == 0)
        r = each_item(b, l, PAGE_SUSPENDED, add_suspended);
    if (r == 0 && !b->source->brief)
        r = each_item(b, l, PAGE_HISTOGRAM, add_block);
    if (r < 0)
        return r;
    add_unknown(b, l);
    link_nodes(b, first);
    uint32_t root = index_of(b, lane_side(l->lane)->root);
    uint32_t all = p->node[root].first_child, shown = without_own(p, all);
    if (all && !shown && !t->merged)
        t->count = 0;
    p->node[root].first_child = siblings_sort(p, shown);
    r = walk(b, root);
    t->first_root = p->node[root].first_child;
    t->roots = root_ticks(b, root);
    return r;
}
