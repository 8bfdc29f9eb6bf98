#include "snapshot_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chain.h"
#include "process.h"
#include "segment_file.h"

void copier_refresh(struct copier *c)
{
    uint64_t bytes = view_bytes_now(c->view);
    if (bytes / SEGMENT_PAGE > c->limit) /* a file that shrinks is caught by the guard, not by sizes that go back */
        c->limit = (uint32_t)(bytes / SEGMENT_PAGE);
}

bool copier_has(struct copier *c, uint32_t first, uint32_t count)
{
    if (first >= c->limit || count > c->limit - first)
        copier_refresh(c);
    return first < c->limit && count <= c->limit - first;
}

bool copier_visit(struct copier *c, uint32_t number)
{
    if (number == 0 || !copier_has(c, number, 1) || c->stamp[number] == c->walk)
        return false;
    c->stamp[number] = c->walk;
    return true;
}

int copier_table(struct copier *c, enum page_kind kind, uint32_t first, uint32_t count, uint32_t per_page, copier_take *take)
{
    uint32_t number = first;
    c->walk++;
    for (uint32_t done = 0; done < count; done += per_page) {
        if (!copier_visit(c, number))
            return -EBADMSG;
        const struct page_header *page = copier_live(c, number);
        if (page->kind != (uint32_t)kind)
            return -EBADMSG;
        take(c, page, done, count - done < per_page ? count - done : per_page);
        number = word_read(&page->next);
    }
    return 0;
}

/* The change mark first: what is copied after it is at least as new. A mark is stored when a batch begins to touch a page,
 * so a copy made during that very batch may lack what comes after the mark: it is trusted only if the batch it names had
 * ended before (`commit`, loaded earlier). tests/model proves the doubt, and `commit` before the words,
 * necessary. */
static void copy_page(struct copier *c, uint32_t number, enum page_kind kind, uint64_t commit)
{
    const uint32_t item_size = chain_item_size(kind), most = (SEGMENT_PAGE - PAGE_ITEMS_OFFSET) / item_size;
    const struct page_header *live = copier_live(c, number);
    struct page_header *copy = snapshot_page(c->s, number);
    uint64_t change = word_read(&live->change);
    uint32_t used = word_read(&live->used);
    if (used > most)
        used = most;
    words_read(copy, live, PAGE_ITEMS_OFFSET + used * item_size);
    word_set(&copy->change, change);
    word_set(&copy->used, used);
    c->trusted[number] = (int32_t)(commit_tail(commit) - commit_tail(change)) > 0;
}

/* Every page of a chain that is not in the image as it is now. The walk follows the links in the image, which are what is
 * used later, not those in the segment, which may have changed. -EBADMSG: not a chain of this lane's. */
static int copy_chain(struct copier *c, const struct lane *live, uint32_t lane_page, uint64_t commit, enum page_kind kind)
{
    uint32_t number = ((const struct lane *)snapshot_page(c->s, lane_page))->side[commit_side(commit)].chain[kind];
    while (number) {
        if (!copier_visit(c, number))
            return -EBADMSG;
        const struct page_header *page = copier_live(c, number);
        bool first_time = c->owner[number] != lane_page;
        if (number == lane_page || (first_time && c->owner[number]) || page->kind != (uint32_t)kind || page->owner != lane_page)
            return -EBADMSG;
        c->owner[number] = lane_page;
        struct page_header *copy = snapshot_page(c->s, number);
        bool fresh = !first_time && c->trusted[number] && word_read(&page->change) == word_get(&copy->change);
        if (!fresh)
            copy_page(c, number, kind, word_read(&live->commit));
        if (copy->kind != (uint32_t)kind || copy->owner != lane_page)
            return -EBADMSG;
        if (copy->used == 0)
            copy->next = 0; /* left from before a reset; nothing lies behind it */
        number = copy->next;
    }
    return 0;
}

/* Of the side that `commit` names. One walk: no page is in two chains. */
static int copy_chains(struct copier *c, const struct lane *live, uint32_t lane_page, uint64_t commit)
{
    int r = 0;
    c->walk++;
    for (enum page_kind kind = 0; kind < PAGE_KINDS && r == 0; kind++)
        if (chain_item_size(kind))
            r = copy_chain(c, live, lane_page, commit, kind);
    return r;
}

/* Records after the folded ones, and the last folded one. -EAGAIN: overtaken by the writer. */
static int copy_ring(struct copier *c, const struct lane *live, struct lane_copy *l, struct ring_copy *ring)
{
    uint32_t first = word_read(&l->lane->ring), slots = word_read(&l->lane->ring_slots), folded = commit_tail(word_read(&l->lane->commit));
    uint64_t head = word_read(&live->head);
    bool all_folded = l->page == c->grave || l->lane->state == LANE_EXITED; /* whatever has been taken from it since */
    uint64_t count = all_folded ? 0 : (uint32_t)((uint32_t)head - folded);
    l->head = head;
    ring->first = ring->tail = head - count;
    ring->count = count;
    if (first == 0)
        return count ? -EAGAIN : 0; /* the thread is about to give its ring back, or has */
    bool sane = slots >= SEGMENT_MIN_RING_SLOTS && slots <= SEGMENT_MAX_RING_SLOTS && (slots & (slots - 1)) == 0;
    if (!sane || !copier_has(c, first, slots / (SEGMENT_PAGE / (uint32_t)sizeof(struct slot))))
        return -EBADMSG;
    if (count > slots)
        return -EAGAIN;
    if (ring->tail && count + 1 < slots)
        ring->first--;
    uint64_t room = 1;
    while (room < head - ring->first)
        room *= 2;
    struct slot *copy = realloc(ring->slot, room * sizeof *copy);
    if (!copy)
        return -ENOMEM;
    ring->slot = copy;
    ring->mask = room - 1;
    const struct slot *from = copier_live(c, first);
    for (uint64_t i = ring->first; i < head; i++)
        words_read(&copy[i & ring->mask], &from[i & (slots - 1)], sizeof *copy);
    /* A record is whole iff the writer is not a lap further; strictly: the slot of record i is written again before head
     * says so. Relaxed is enough: whatever the copy read was released after the heads before it. */
    uint64_t now = word_get(&live->head);
    bool whole = (int64_t)(ring->first - (now - slots)) > 0;
    return whole && word_read(&live->ring) == first ? 0 : -EAGAIN;
}

/* The log of the batch in progress, after everything else: a change that was copied is in it. */
static int copy_log(struct copier *c, const struct lane *live, struct ring_copy *ring)
{
    uint64_t count = word_read(&live->undo_count);
    uint32_t first = word_read(&live->undo_page);
    if (count > UNDO_WORDS || first == 0 || !copier_has(c, first, UNDO_PAGES))
        return -EBADMSG;
    if (!ring->log && !(ring->log = malloc(UNDO_WORDS * sizeof *ring->log)))
        return -ENOMEM;
    words_read(ring->log, copier_live(c, first), count * sizeof *ring->log);
    ring->log_count = count;
    return 0;
}

/* What frames all else in a lane: read before and after it. */
struct frame {
    uint32_t state, generation, resets;
};

static struct frame read_frame(const struct lane *live)
{
    return (struct frame){.state = word_read(&live->state), .generation = word_read(&live->generation), .resets = word_read(&live->resets)};
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
    return a->state == b->state && a->generation == b->generation && a->resets == b->resets;
}

/* All but the ring. */
static int copy_folded(struct copier *c, const struct lane *live, struct lane_copy *l, struct ring_copy *ring, uint32_t *merges)
{
    const struct segment_header *header = c->view->base;
    uint64_t before = word_read(&live->commit);
    words_read(l->lane, live, sizeof *live);
    int r = copy_chains(c, live, l->page, before);
    ring->walk = c->walk;
    *merges = word_read(&header->merges); /* after `merging` and before the second look at commit: counts no merge that began later */
    if (r == 0 && commit_odd(before))
        r = copy_log(c, live, ring);
    if (r == -ENOMEM)
        return r;
    if (word_get(&live->commit) != before)
        return -EAGAIN;
    word_set(&l->lane->commit, before);
    word_set(&l->lane->undo_count, ring->log_count);
    return r;
}

/* One look. -EAGAIN: met the writer in the middle of it, whatever was found. */
static int try_copy(struct copier *c, uint32_t page, struct lane_copy *l, struct ring_copy *ring, uint32_t *merges)
{
    const struct lane *live = copier_live(c, page);
    struct frame frame = read_frame(live);
    int r = copy_folded(c, live, l, ring, merges);
    word_set(&l->lane->state, frame.state);
    word_set(&l->lane->generation, frame.generation);
    word_set(&l->lane->resets, frame.resets);
    if (r == 0) {
        r = copy_ring(c, live, l, ring);
        l->cpu_off = word_read(&live->cpu_off); /* after the records that tell of it */
    }
    struct frame after = read_frame(live);
    return r == -ENOMEM || same_frame(&after, &frame) ? r : -EAGAIN;
}

static void describe(struct lane_copy *l)
{
    const struct lane *lane = l->lane;
    l->generation = lane->generation;
    l->state = lane->state;
    l->tid = lane->tid;
    l->cpu_mode = lane->cpu_mode;
    l->began = lane->began;
    l->ended = lane->ended;
    memcpy(l->name, lane->name, sizeof l->name);
    l->name[sizeof l->name - 1] = '\0';
    process_printable(l->name);
}

static void pause_ns(long ns)
{
    struct timespec t = {.tv_nsec = ns};
    nanosleep(&t, NULL);
}

/* Again and again: each look copies only what has changed since the one before, so it gets shorter, and the writer rests
 * for half a ring at a time (lanes.h). */
int copier_lane(struct copier *c, uint32_t page, struct lane_copy *l, struct ring_copy *ring, uint32_t *merges)
{
    for (unsigned look = 0;; look++) {
        int r = try_copy(c, page, l, ring, merges);
        if (r != -EAGAIN) {
            describe(l);
            return r;
        }
        c->s->retries++;
        if (clock_ns(CLOCK_MONOTONIC) >= c->deadline) {
            describe(l);
            return -ETIMEDOUT;
        }
        if (look % 64 == 63)
            pause_ns(20000);
    }
}
