#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "snapshot_asof.h"
#include "snapshot_check.h"
#include "snapshot_copy.h"
#include "snapshot_merges.h"
#include "snapshot_sites.h"
#include "snapshot_tracks.h"
#include "word.h"

#define STILL_LOOKS 8u /* for one in which no call changes threads */
#define READER_PAGES 16384u /* room in the image for what the reader itself folds */

/* Room for one lane more, full at each power of two. */
static bool lane_room(struct copier *c)
{
    struct snapshot *s = c->s;
    if (s->lanes & (s->lanes - 1))
        return true;
    size_t room = s->lanes ? 2 * (size_t)s->lanes : 1;
    struct lane_copy *lane = realloc(s->lane, room * sizeof *lane);
    if (lane)
        s->lane = lane;
    struct ring_copy *ring = realloc(c->ring, room * sizeof *ring);
    if (ring)
        c->ring = ring;
    return lane && ring;
}

/* It has no data: the picture lacks it. */
static void give_up(struct snapshot *s, struct lane_copy *l) { l->complete = s->complete = false; }

static int add_lane(struct copier *c, uint32_t page, uint32_t *merges)
{
    struct snapshot *s = c->s;
    if (!lane_room(c))
        return -ENOMEM;
    struct lane_copy *l = &s->lane[s->lanes];
    struct ring_copy *ring = &c->ring[s->lanes++];
    *l = (struct lane_copy){.page = page, .lane = snapshot_page(s, page), .complete = true};
    *ring = (struct ring_copy){.slot = NULL};
    c->owner[page] = page;
    int r = copier_lane(c, page, l, ring, merges);
    if (r == -ENOMEM)
        return r;
    bool in_use = l->state == LANE_LIVE || l->state == LANE_EXITED;
    l->empty = !in_use || l->lane->resets != s->session.resets;
    if (r < 0) {
        ring->count = 0; /* may have been meant, and not be there */
        ring->first = ring->tail;
        if (!l->empty)
            give_up(s, l);
    }
    return 0;
}

/* The lane that holds the merged ones, last. -EAGAIN: lanes moved there in a way that cannot be told apart. */
static int add_merged(struct copier *c, uint32_t merges_before)
{
    uint32_t grave = word_read(&((const struct segment_header *)c->view->base)->graveyard), merges = merges_before;
    if (!grave)
        return 0;
    c->grave = grave;
    if (!copier_has(c, grave, 1) || c->owner[grave] || ((const struct lane *)copier_live(c, grave))->page.kind != PAGE_LANE)
        return -EBADMSG;
    int r = add_lane(c, grave, &merges);
    if (r < 0)
        return r;
    struct lane_copy *l = &c->s->lane[c->s->lanes - 1];
    if (merges == 0 && l->lane->merging == 0)
        l->empty = true; /* made, and not needed yet */
    return merges_account(c, l, merges_before, merges) ? 0 : -EAGAIN;
}

/* Who is in which audience, as of after the lanes. -EAGAIN: numbers that are in them may mean something else by now. */
static int copy_audiences(struct copier *c, uint32_t renumberings)
{
    const struct segment_header *h = c->view->base;
    copier_refresh(c);
    uint64_t sites = word_read(&h->site_count), most = (uint64_t)c->limit * PAGE_ITEMS(struct site_record);
    int r = audiences_copy(&c->s->audiences, h, c->limit, (uint32_t)(sites < most ? sites : most));
    if (r == -EBADMSG)
        c->s->complete = false;
    else if (r < 0)
        return r;
    return word_get(&h->renumberings) == renumberings ? 0 : -EAGAIN;
}

/* All lanes once. -EAGAIN: merges, or a reset, have come between them. */
static int try_lanes(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    uint32_t renumberings = word_read(&h->renumberings), before = word_read(&h->merges), ignored, number = word_read(&h->lane_first);
    int r = 0;
    while (number && r == 0) {
        const struct lane *live = copier_has(c, number, 1) ? copier_live(c, number) : NULL;
        if (!live || c->owner[number] || live->page.kind != PAGE_LANE || live->page.owner != number) {
            c->s->complete = false;
            break;
        }
        uint32_t state = word_read(&live->state), next = word_read(&live->lane_next);
        c->owner[number] = number; /* whatever its state: the walk comes by once */
        if (state == LANE_LIVE || state == LANE_EXITED)
            r = add_lane(c, number, &ignored);
        number = next;
    }
    if (r == 0)
        r = add_merged(c, before);
    if (r == 0)
        r = copy_audiences(c, renumberings);
    return r == 0 && word_read(&h->resets) != c->s->session.resets ? -EAGAIN : r;
}

/* Together; or, if the writer died while it changed them, as they are. */
static void read_session(const struct view *v, struct session_state *s)
{
    const struct segment_header *h = v->base;
    for (int i = 0; i < 1000; i++) {
        uint32_t before = word_read(&h->session_seq);
        s->running = word_read(&h->session_flags) & SESSION_RUNNING;
        s->started = word_read(&h->session_started);
        s->stopped = word_read(&h->session_stopped);
        s->resets = word_read(&h->resets);
        s->orders = session_orders(before, s->resets);
        if (!(before & 1) && word_get(&h->session_seq) == before)
            return;
    }
}

static void forget_rings(struct copier *c)
{
    for (uint32_t i = 0; c->ring && i < c->s->lanes; i++) {
        free(c->ring[i].slot);
        free(c->ring[i].log);
    }
}

static void forget_lanes(struct copier *c)
{
    uint64_t pages = c->view->mapped / SEGMENT_PAGE;
    forget_rings(c);
    audiences_free(&c->s->audiences);
    c->s->lanes = 0;
    c->s->complete = true;
    memset(c->owner, 0, pages * sizeof *c->owner);
}

/* Calls that were going to another thread's lane when `moves` was loaded, or have gone since. */
static uint64_t moved_since(const struct copier *c, uint64_t moves)
{
    const struct segment_header *h = c->view->base;
    return (word_get(&h->moves) - (moves & ~1ull) + 1) / 2;
}

/* Lanes are copied one after the other: a call that goes from one to another meanwhile may be seen in both or in neither.
 * Then they are copied again, unless that goes on and on. */
static int copy_lanes(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    for (unsigned look = 1;; look++) {
        read_session(c->view, &c->s->session);
        uint64_t moves = word_read(&h->moves); /* pairs with writer_resume_moved() in lanes.c */
        int r = try_lanes(c);
        c->s->moving = moved_since(c, moves);
        if (r != -EAGAIN && (r < 0 || c->s->moving == 0 || look >= STILL_LOOKS))
            return r;
        c->s->retries++;
        if (clock_ns(CLOCK_MONOTONIC) >= c->deadline) {
            c->s->complete &= r == 0;
            return 0;
        }
        forget_lanes(c);
    }
}

/* 0: there is no more room. Lanes are folded one after the other, so one log serves them all. */
static uint32_t reader_page(void *context, enum page_kind kind)
{
    struct snapshot *s = context;
    uint32_t page = s->next_page, count = kind == PAGE_UNDO ? UNDO_PAGES : 1;
    if (kind == PAGE_UNDO && s->log_page)
        return s->log_page;
    if ((uint64_t)(page + count) * SEGMENT_PAGE > s->image_bytes)
        return 0;
    s->next_page += count;
    if (kind == PAGE_UNDO)
        s->log_page = page;
    else
        ((struct page_header *)snapshot_page(s, page))->kind = kind;
    return page;
}

static uint64_t last_of(const struct lane_copy *l, const struct ring_copy *ring)
{
    uint64_t last = l->ended ? l->ended : l->began, head = ring->tail + ring->count;
    for (uint64_t i = head; i > ring->first && i + 3 > head; i--) { /* the last may be a key, which is no time */
        const struct slot *r = &ring->slot[(i - 1) & ring->mask];
        if (record_kind(r->what) != RECORD_KEY && r->when > last)
            last = r->when;
    }
    return last;
}

/* As the writer's: what a reader folds is not on paths that the writer is about to give up, nor the other way round. */
static struct folder_limits limits_of(const struct snapshot *s)
{
    struct folder_limits limits = folder_default_limits;
    uint32_t nodes = atomic_load_explicit(&s->header.path_limit, memory_order_relaxed);
    limits.nodes = nodes ? nodes : limits.nodes;
    return limits;
}

static int fold_lane(struct copier *c, uint32_t i, uint32_t *ordinal)
{
    struct lane_copy *l = &c->s->lane[i];
    l->last = last_of(l, &c->ring[i]);
    if (l->empty || !l->complete)
        return 0;
    if (!check_lane(c, l, &c->ring[i], ordinal)) {
        give_up(c->s, l);
        return 0;
    }
    check_records(c->s, &c->ring[i]);
    const struct folder_limits limits = limits_of(c->s);
    int r = folder_attach(&l->folder, c->s->image, l->lane, &limits, c->ring[i].tail, reader_page, c->s);
    if (r < 0) {
        give_up(c->s, l);
        return r == -ENOMEM ? r : 0;
    }
    folder_run(&l->folder, c->ring[i].slot, c->ring[i].mask, c->ring[i].count);
    return 0;
}

static int take(void *context)
{
    struct copier *c = context;
    struct snapshot *s = c->s;
    int r = view_header(c->view, 0, &s->header);
    if (r == 0)
        r = copy_lanes(c);
    if (r == 0)
        r = copier_tracks(c);
    if (r == 0)
        r = copier_sites(c);
    if (r < 0)
        return r;
    copier_strings(c);
    s->pages = s->next_page = c->limit;
    uint32_t *ordinal = calloc(s->pages, sizeof *ordinal);
    if (!ordinal)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->lanes && r == 0; i++)
        r = fold_lane(c, i, ordinal);
    free(ordinal);
    if (r == 0) {
        asof_choose(s, c->options);
        r = asof_end_calls(s, c->options);
    }
    return r;
}

static int allocate(struct copier *c, const struct view *v, struct snapshot *s)
{
    uint64_t pages = v->mapped / SEGMENT_PAGE;
    s->image_bytes = v->mapped + (uint64_t)READER_PAGES * SEGMENT_PAGE;
    if (s->image_bytes > SEGMENT_MAX_BYTES)
        s->image_bytes = SEGMENT_MAX_BYTES;
    s->image = mmap(NULL, s->image_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->image == MAP_FAILED)
        s->image = NULL;
    c->owner = calloc(pages, sizeof *c->owner);
    c->stamp = calloc(pages, sizeof *c->stamp);
    c->trusted = calloc(pages, sizeof *c->trusted);
    return s->image && c->owner && c->stamp && c->trusted ? 0 : -ENOMEM;
}

static void free_copier(struct copier *c)
{
    forget_rings(c);
    free(c->ring);
    free(c->owner);
    free(c->stamp);
    free(c->trusted);
}

int snapshot_take(struct snapshot *s, const struct view *v, const struct snapshot_options *o)
{
    *s = (struct snapshot){.complete = true};
    struct copier c = {.view = v, .s = s, .options = o, .deadline = clock_ns(CLOCK_MONOTONIC) + o->patience};
    int r = allocate(&c, v, s);
    if (r == 0) {
        copier_refresh(&c);
        r = c.limit ? view_guarded(v, take, &c) : -EIO;
    }
    free_copier(&c);
    if (r < 0)
        snapshot_free(s);
    return r;
}

void snapshot_free(struct snapshot *s)
{
    for (uint32_t i = 0; i < s->lanes; i++) {
        folder_free(&s->lane[i].folder);
        free(s->lane[i].open);
    }
    if (s->image)
        munmap(s->image, s->image_bytes);
    audiences_free(&s->audiences);
    free(s->lane);
    free(s->site);
    free(s->track);
    *s = (struct snapshot){.complete = false};
}
