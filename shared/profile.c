#include "profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "chain.h"
#include "counts.h"
#include "histogram.h"
#include "item_key.h"

struct builder {
    struct profile *p;
    const struct profile_source *source, *end;
    const struct snapshot *s; /* of the source whose turn it is */
    double call_costs;        /* picoseconds; of all calls */
    struct counts pair_index; /* caller, callee -> 1 + index in p->pair */
    struct counts open;       /* sites and pairs open on the path being walked */
    struct block {
        uint32_t site;
        unsigned exponent;
        const struct bucket_block *block;
    } *block;
    size_t blocks, blocks_room;
    uint32_t nodes_room, pairs_room;
};

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

/* What the current source's site is called in the profile; 0: it is the recorder's own. */
static uint32_t site_id(const struct builder *b, uint32_t id)
{
    const uint32_t *map = b->source->site;
    return !map ? id : id <= b->s->sites ? map[id] : 0;
}

/* ---- sums ---- */

static struct profile_times times_of(struct profile *p, const struct node *n)
{
    struct profile_times t = {.calls = n->calls, .open = n->cut, .raised = n->raised, .inclusive = n->inclusive, .waited = n->waited};
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

/* ---- nodes of one lane ---- */

typedef int visit_item(struct builder *b, const struct lane_copy *l, void *item);

static int each_item(struct builder *b, const struct lane_copy *l, enum page_kind kind, visit_item *visit)
{
    int r = 0;
    chain_each_page(page, b->s->image, l->lane->chain[kind])
        for (uint32_t i = 0; i < page->used && r == 0; i++)
            r = visit(b, l, page_item(page, i, chain_item_size(kind)));
    return r;
}

/* Where a node went is kept in its hint: the image is ours and has been folded. */
static uint32_t index_of(const struct builder *b, segment_ref ref)
{
    return ref ? ((const struct node *)segment_at(b->s->image, ref))->scratch : 0;
}

static int add_node(struct builder *b, const struct lane_copy *l, void *item)
{
    struct profile *p = b->p;
    struct node *n = item;
    uint32_t i = p->nodes + 1;
    if (!reserve((void **)&p->node, &b->nodes_room, i + 1, sizeof *p->node))
        return -ENOMEM;
    n->scratch = i;
    p->node[i] = (struct profile_node){.site = site_id(b, n->site), .other = n->flags & NODE_OTHER, .t = times_of(p, n)};
    p->node[i].parent = segment_ref_of(b->s->image, n) == l->lane->root ? 0 : index_of(b, n->parent);
    p->nodes = i;
    if (n->flags & NODE_PAIR)
        p->unpathed += n->calls;
    return 0;
}

bool profile_closes_untold(const struct segment_header *h)
{
    unsigned minor, micro;
    if (sscanf(h->python, "3.%u.%u", &minor, &micro) != 2)
        return false;
    return (minor == 13 && micro < 10) || (minor == 14 && micro < 1);
}

static int add_suspended(struct builder *b, const struct lane_copy *l, void *item)
{
    const struct suspended *w = item;
    (void)l;
    uint32_t i = index_of(b, (segment_ref)w->node);
    if (i && !((w->node >> 32) & ENTRY_FOREIGN)) {
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
        t->unknown_inclusive += l->unknown;
        t->unknown_exclusive += i == 0 ? l->unknown : 0;
    }
}

static int add_block(struct builder *b, const struct lane_copy *l, void *item)
{
    const struct bucket_block *block = item;
    (void)l;
    struct block *more = array_room(b->block, b->blocks, &b->blocks_room, sizeof *more);
    if (!more)
        return -ENOMEM;
    b->block = more;
    uint64_t key = block->item.key;
    b->block[b->blocks++] = (struct block){.site = site_id(b, key_block_site(key)), .exponent = key_block_exponent(key), .block = block};
    return 0;
}

static bool has_anything(const struct profile_node *n)
{
    return n->t.calls || n->t.inclusive || n->t.open || n->t.raised || n->t.waited || n->first_child;
}

/* Children to parents, last first: so a node knows whether it has children when its own turn comes. Nodes on which
 * nothing ended are not linked. */
static void link_nodes(struct profile *p, uint32_t first)
{
    for (uint32_t i = p->nodes; i > first; i--) {
        struct profile_node *n = &p->node[i];
        if (!has_anything(n) || !n->parent)
            continue;
        n->next_sibling = p->node[n->parent].first_child;
        p->node[n->parent].first_child = i;
    }
}

static bool before(const struct profile *p, uint32_t a, uint32_t b)
{
    const struct profile_node *x = &p->node[a], *y = &p->node[b];
    if (x->t.inclusive != y->t.inclusive)
        return x->t.inclusive > y->t.inclusive;
    return a < b;
}

/* Merge sort of a list of siblings. */
static uint32_t sort_siblings(struct profile *p, uint32_t head)
{
    if (!head || !p->node[head].next_sibling)
        return head;
    uint32_t slow = head, fast = p->node[head].next_sibling;
    while (fast && (fast = p->node[fast].next_sibling)) {
        slow = p->node[slow].next_sibling;
        fast = p->node[fast].next_sibling;
    }
    uint32_t b = p->node[slow].next_sibling;
    p->node[slow].next_sibling = 0;
    uint32_t a = sort_siblings(p, head), result = 0, *link = &result;
    b = sort_siblings(p, b);
    while (a && b) {
        uint32_t *next = before(p, a, b) ? &a : &b;
        *link = *next;
        link = &p->node[*next].next_sibling;
        *next = *link;
    }
    *link = a ? a : b;
    return result;
}

/* ---- sites and pairs ---- */

/* Sites are in the order of their ids, but not all ids are there. */
static struct profile_site *site_of(struct profile *p, uint32_t id)
{
    uint32_t low = 0, high = p->sites;
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

static int account(struct builder *b, const struct node *n, bool site_open, bool pair_open)
{
    struct profile *p = b->p;
    const struct profile_node *pn = &p->node[n->scratch];
    struct profile_site *site = site_of(p, pn->site);
    if (!site) /* the recorder's own */
        return 0;
    struct profile_pair *pair = pair_of(b, site_id(b, node_caller(n)), pn->site);
    if (!pair)
        return -ENOMEM;
    count_process(b, site, &pn->t);
    metric_add(&site->t, &pn->t, !site_open);
    metric_add(&pair->t, &pn->t, !pair_open);
    p->calls += pn->t.calls;
    uint64_t min = n->min, max = n->max;
    if (min < site->min)
        site->min = min;
    if (max > site->max)
        site->max = max;
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

/* Walks the tree below node `top` without recursion; recursion of the profiled program shows as the same site further up.
 * `source`: the image's node by index. */
static int walk(struct builder *b, uint32_t top, struct node *const *source)
{
    struct profile *p = b->p;
    uint32_t i = p->node[top].first_child;
    while (i) {
        const struct node *n = source[i];
        struct profile_node *pn = &p->node[i];
        bool flat = n->flags & NODE_PAIR, path = !flat && !(n->flags & NODE_OTHER);
        bool site_open = flat ? n->flags & NODE_SITE_OPEN : counts_get(&b->open, site_open_key(n->site)) > 0;
        bool pair_open = flat ? n->flags & NODE_PAIR_OPEN : counts_get(&b->open, pair_key(node_caller(n), n->site)) > 0;
        pn->t.primitive_calls = site_open ? 0 : pn->t.calls;
        int r = path || flat ? account(b, n, site_open, pair_open) : 0;
        if (r == 0 && path)
            r = enter_path(b, node_caller(n), n->site);
        if (r < 0)
            return r;
        pn->first_child = sort_siblings(p, pn->first_child);
        if (pn->first_child) {
            i = pn->first_child;
            continue;
        }
        for (;;) { /* up until there is a next one */
            if (!(source[i]->flags & (NODE_PAIR | NODE_OTHER)))
                leave_path(b, node_caller(source[i]), source[i]->site);
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

static void collect_source(struct builder *b, const struct lane_copy *l, struct node **source)
{
    chain_each_item(struct node, n, b->s->image, l->lane->chain[PAGE_NODE])
        source[n->scratch] = n;
}

static uint64_t root_ticks(const struct profile *p, uint32_t root, struct node *const *source)
{
    uint64_t sum = 0;
    for (uint32_t i = p->node[root].first_child; i; i = p->node[i].next_sibling) {
        if (!p->node[i].other)
            sum += p->node[i].t.inclusive;
        for (uint32_t k = p->node[i].other ? p->node[i].first_child : 0; k; k = p->node[k].next_sibling)
            if (node_caller(source[k]) == 0)
                sum += p->node[k].t.inclusive;
    }
    return sum;
}

/* ---- threads ---- */

/* The recorder tries on a function of its own what a call costs. Another thread may have begun to record meanwhile; what
 * then lands here was called by nobody, and has no row. */
static uint32_t without_own(struct profile *p, uint32_t first)
{
    uint32_t kept = 0, *link = &kept;
    for (uint32_t i = first; i; i = p->node[i].next_sibling)
        if (p->node[i].other || site_of(p, p->node[i].site)) {
            *link = i;
            link = &p->node[i].next_sibling;
        }
    *link = 0;
    return kept;
}

static int add_tree(struct builder *b, const struct lane_copy *l, struct profile_thread *t)
{
    struct profile *p = b->p;
    uint32_t first = p->nodes;
    int r = each_item(b, l, PAGE_NODE, add_node);
    if (r == 0)
        r = each_item(b, l, PAGE_SUSPENDED, add_suspended);
    if (r == 0)
        r = each_item(b, l, PAGE_HISTOGRAM, add_block);
    struct node **source = r == 0 ? calloc((size_t)p->nodes + 1, sizeof *source) : NULL;
    if (!source)
        return -ENOMEM;
    add_unknown(b, l);
    link_nodes(p, first);
    collect_source(b, l, source);
    uint32_t root = index_of(b, l->lane->root);
    uint32_t all = p->node[root].first_child, shown = without_own(p, all);
    if (all && !shown && !t->merged)
        t->count = 0;
    p->node[root].first_child = sort_siblings(p, shown);
    r = walk(b, root, source);
    t->first_root = p->node[root].first_child;
    t->roots = root_ticks(p, root, source);
    free(source);
    return r;
}

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
    *t = (struct profile_thread){.process = b->source->process, .lane = (uint64_t)l->page << 32 | l->generation, .tid = l->tid, .exited = l->state == LANE_EXITED, .merged = l->tid == 0, .complete = l->complete};
    memcpy(t->name, l->name, sizeof t->name);
    t->count = !l->complete;
    if (l->empty || !l->complete)
        return 0;
    t->count = t->merged ? l->lane->threads : lane_recorded(b->s->image, l->lane, l->head);
    add_counters(p, l);
    return add_tree(b, l, t);
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

/* ---- quantiles ---- */

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
        struct profile_site *s = site_of(b->p, site);
        if (s && h->total)
            set_quantiles(s, h);
    }
    free(h);
    for (uint32_t i = 0; i < b->p->sites; i++)
        if (b->p->site[i].min == UINT64_MAX)
            b->p->site[i].min = 0; /* no call has ended */
    return 0;
}

/* ---- the whole ---- */

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
        uint32_t id = site_id(b, i);
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

static void add_header(struct profile *p, const struct snapshot *s)
{
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
    p->complete &= s->complete;
    for (uint32_t i = 0; i < s->lanes; i++)
        p->records += s->lane[i].empty ? 0 : s->lane[i].head - s->lane[i].lane->first;
}

/* A call costs what it does on average. */
static int add_source(struct builder *b)
{
    uint64_t before = b->p->calls;
    add_header(b->p, b->s);
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
    free(b.block);
    if (r < 0)
        profile_free(p);
    return r;
}

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

const struct profile_site *profile_site(const struct profile *p, uint32_t id) { return site_of((struct profile *)p, id); }
