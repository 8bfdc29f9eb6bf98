#include "lanes_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "word.h"

/* ---- pages of a lane ---- */

/* A few at a time: each time is a handful of system calls. */
static uint32_t page_for_lane(void *context, enum page_kind kind)
{
    struct writer *w = context;
    if (kind == PAGE_UNDO)
        return segment_pages(w->lanes->segment, UNDO_PAGES);
    if (w->spare_pages == 0) {
        uint32_t count = w->folder.nodes < 64 ? 4 : 16;
        w->spare_page = segment_pages(w->lanes->segment, count);
        w->spare_pages = w->spare_page ? count : 0;
        if (!w->spare_pages)
            return 0;
    }
    w->spare_pages--;
    struct page_header *page = segment_page_at(w->lanes->segment->base, w->spare_page);
    page->kind = kind;
    page->owner = (uint32_t)(((char *)w->lane - (char *)w->lanes->segment->base) / SEGMENT_PAGE);
    return w->spare_page++;
}

/* ---- opening ---- */

static void link_lane(struct lanes *l, struct lane *lane, uint32_t page)
{
    struct segment_header *h = l->segment->header;
    word_put(&lane->lane_next, word_get(&h->lane_first));
    word_put(&h->lane_first, page);
}

static struct writer *new_writer(struct lanes *l)
{
    uint32_t page = segment_pages(l->segment, 1);
    struct writer *w = page ? calloc(1, sizeof *w) : NULL;
    if (!w)
        return NULL;
    w->lanes = l;
    pthread_mutex_init(&w->lock, NULL);
    w->lane = segment_page_at(l->segment->base, page);
    w->lane->page.kind = PAGE_LANE;
    w->lane->page.owner = page;
    word_put(&w->lane->resets, UINT32_MAX); /* empty for every reader until it is ready */
    if (folder_init(&w->folder, l->segment->base, w->lane, &l->options.limits, page_for_lane, w) < 0) {
        free(w);
        return NULL;
    }
    link_lane(l, w->lane, page);
    w->next = l->all;
    l->all = w;
    return w;
}

/* Where exited threads are merged must be there before memory is short: without it no lane could be used again. So it is
 * made with the second thread; a program with one never needs it. */
static void make_graveyard(struct lanes *l)
{
    if (l->threaded && !l->graveyard)
        l->graveyard = merge_new(l->segment, &l->options.limits);
    l->threaded = true;
}

/* The lane of the thread that exited first, its rows moved to the merged ones. */
static struct writer *recycle(struct lanes *l)
{
    struct writer *w = l->oldest;
    if (!w || !l->graveyard)
        return NULL;
    merge_lane(l->graveyard, w->lane);
    l->oldest = w->newer;
    if (w->newer)
        w->newer->older = NULL;
    else
        l->newest = NULL;
    l->exited--;
    w->older = w->newer = NULL;
    return w;
}

/* Its size before its page: who sees the one has seen the other. */
static void start_ring(struct writer *w, struct ring ring)
{
    w->ring = segment_page_at(w->lanes->segment->base, ring.page);
    w->mask = ring.slots - 1;
    w->fold_at = w->folder.tail + ring.slots / 4 * 3;
    word_put(&w->lane->ring_slots, ring.slots);
    word_put(&w->lane->ring, ring.page);
}

static void note_cpu_mode(struct segment_header *h, uint32_t mode)
{
    uint32_t weakest = word_get(&h->cpu_mode);
    while (weakest < mode && !atomic_compare_exchange_weak(&h->cpu_mode, &weakest, mode))
        ;
}

/* In words, like all that a reader may copy at the same time. */
static void put_name(struct lane *lane, const char *name)
{
    _Static_assert(offsetof(struct lane, name) % 8 == 0 && sizeof lane->name % 8 == 0, "whole words");
    uint64_t words[sizeof lane->name / 8] = {0};
    snprintf((char *)words, sizeof words, "%s", name);
    for (size_t i = 0; i < sizeof words / 8; i++)
        word_put((_Atomic uint64_t *)lane->name + i, words[i]);
}

static void publish_cpu_clock(struct writer *w)
{
    struct lane *lane = w->lane;
    word_put(&lane->cpu_base_ticks, w->cpu.base.ticks);
    word_put(&lane->cpu_base_monotonic, w->cpu.base.monotonic);
    word_put(&lane->cpu_base, w->cpu.base.cpu);
    word_put(&lane->cpu_off, 0);
    word_put(&lane->stopped, 0);
    word_put(&lane->cpu_stop, 0);
}

static void start_lane(struct writer *w, struct ring ring, const char *name)
{
    struct lane *lane = w->lane;
    struct segment_header *h = w->lanes->segment->header;
    word_put(&lane->state, LANE_NEW);
    word_put(&lane->generation, word_get(&lane->generation) + 1);
    writer_reset(w, word_get(&h->resets));
    start_ring(w, ring);
    cputime_open(&w->cpu, w->lanes->options.cpu_mode);
    put_name(lane, name);
    word_put(&lane->tid, (uint32_t)syscall(SYS_gettid));
    word_put(&lane->cpu_mode, w->cpu.mode);
    publish_cpu_clock(w);
    note_cpu_mode(h, w->cpu.mode);
    w->last = clock_ticks();
    word_put(&lane->began, w->last);
    word_put(&lane->ended, 0);
    word_put(&lane->state, LANE_LIVE);
}

void lanes_rename(struct writer *w, const char *name) { put_name(w->lane, name); }

struct writer *lanes_open(struct lanes *l, const char *name)
{
    pthread_mutex_lock(&l->lock);
    make_graveyard(l);
    struct ring ring = rings_take(&l->rings);
    struct writer *w = NULL;
    if (ring.page && l->exited >= l->options.keep_exited)
        w = recycle(l);
    if (ring.page && !w)
        w = new_writer(l);
    if (ring.page && !w) /* no room for another lane: make some */
        w = recycle(l);
    if (ring.page && !w)
        rings_give(&l->rings, ring);
    pthread_mutex_unlock(&l->lock);
    if (w)
        start_lane(w, ring, name);
    return w;
}

static void flush(struct writer *w)
{
    while (w->folder.tail != w->head)
        folder_run(&w->folder, w->ring, w->mask, w->head - w->folder.tail);
    w->fold_at = w->folder.tail + (w->mask + 1) / 4 * 3;
}

/* From here on nobody writes to its ring. Which that was. */
static struct ring retire(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    flush(w);
    cputime_close(&w->cpu);
    word_put(&w->lane->ended, clock_ticks());
    struct ring ring = {.page = word_get(&w->lane->ring), .slots = word_get(&w->lane->ring_slots)};
    word_put(&w->lane->state, LANE_EXITED);
    word_put(&w->lane->ring, 0); /* readers that still copy from it look at `ring` again afterwards */
    pthread_mutex_unlock(&w->lock);
    return ring;
}

void lanes_close(struct lanes *l, struct writer *w)
{
    writer_cut_now(w);
    struct ring ring = retire(w);
    pthread_mutex_lock(&l->lock);
    rings_give(&l->rings, ring);
    w->older = l->newest;
    if (l->newest)
        l->newest->newer = w;
    else
        l->oldest = w;
    l->newest = w;
    l->exited++;
    pthread_mutex_unlock(&l->lock);
}

struct lanes *lanes_new(struct segment *segment, const struct lanes_options *o)
{
    struct lanes *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->segment = segment;
    l->options = *o;
    rings_init(&l->rings, segment, o->ring_slots);
    pthread_mutex_init(&l->lock, NULL);
    atomic_store_explicit(&segment->header->path_limit, o->limits.nodes, memory_order_relaxed);
    return l;
}

void lanes_trim(struct lanes *l)
{
    pthread_mutex_lock(&l->lock);
    rings_trim(&l->rings);
    pthread_mutex_unlock(&l->lock);
}

static void delete_writer(struct writer *w)
{
    folder_free(&w->folder);
    cputime_close(&w->cpu);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void lanes_delete(struct lanes *l)
{
    for (struct writer *next, *w = l->all; w; w = next) {
        next = w->next;
        delete_writer(w);
    }
    if (l->graveyard)
        merge_delete(l->graveyard);
    lanes_abandon(l);
}

void lanes_abandon(struct lanes *l)
{
    rings_free(&l->rings);
    free(l);
}

/* ---- writing ---- */

/* The record first: who reads in between takes what it tells of for a part of the little time since. */
static void put_off(struct writer *w, uint64_t when, uint64_t off)
{
    writer_store(w, when, record_pack_duration(off, RECORD_OFF_CPU));
    word_put(&w->lane->cpu_off, w->cpu.reported);
}

/* What the thread was off the CPU lies between its last record and `now`, which moves on if it was. */
static uint64_t note_switch(struct writer *w, uint64_t now)
{
    if (!cputime_left(&w->cpu, now - w->last))
        return now;
    uint64_t off = cputime_off(&w->cpu, w->last, &now);
    if (off)
        put_off(w, now, off);
    return now;
}

/* Some records, then when to come back: `fold_at` is all that a push looks at. */
static inline __attribute__((always_inline)) void fold_portion(struct writer *w)
{
    uint64_t backlog = w->head - w->folder.tail;
    folder_run(&w->folder, w->ring, w->mask, backlog < WRITER_FOLD ? backlog : WRITER_FOLD);
    backlog = w->head - w->folder.tail;
    uint64_t slots = w->mask + 1;
    w->fold_at = backlog <= slots / 4 ? w->folder.tail + slots / 4 * 3 : w->head + WRITER_STRIDE;
}

/* Of another lane or its own; the time that takes is its own recorder's. */
static inline __attribute__((always_inline)) void fold_of(struct writer *w, struct writer *whose)
{
    uint64_t before = note_switch(w, w->last), after;
    fold_portion(whose);
    bool left = cputime_left(&w->cpu, 0);
    if (left)
        cputime_off(&w->cpu, before, &after); /* is within what is taken out below */
    else
        after = clock_ticks();
    w->last = after;
    w->own += after - before;
    writer_store(w, after, record_pack_duration(after - before, RECORD_OWN));
    if (left)
        word_put(&w->lane->cpu_off, w->cpu.reported);
}

static void fold_some(struct writer *w) { fold_of(w, w); }

static void push_at(struct writer *w, uint64_t now, uint64_t what)
{
    w->last = now;
    writer_store(w, now, what);
    if (w->head >= w->fold_at)
        fold_some(w);
}

void *writer_fold(struct writer *w, void *result)
{
    fold_some(w);
    return result;
}

void *writer_push_after_switch(struct writer *w, uint64_t now, uint64_t what, void *result)
{
    push_at(w, note_switch(w, now), what);
    return result;
}

void writer_push_by_call(struct writer *w, uint64_t what) { push_at(w, note_switch(w, clock_ticks()), what); }

void writer_listen(struct writer *w, uint32_t audience)
{
    if (audience == w->audience)
        return;
    w->audience = audience;
    w->mixed = true;
    writer_push(w, record_pack(audience, 0, RECORD_AUDIENCE, 0));
}

/* Two slots that must not be parted by what a push may put in between. */
static void push_keyed(struct writer *w, uint64_t key, uint64_t what)
{
    uint64_t now = clock_ticks();
    now = note_switch(w, now);
    writer_store(w, key, record_pack(0, 0, RECORD_KEY, 0));
    push_at(w, now, what);
}

void writer_enter_keyed(struct writer *w, uint32_t site, uint64_t key)
{
    push_keyed(w, key, record_pack(site, ++w->depth, RECORD_ENTER, RECORD_KEYED));
}
void writer_resume(struct writer *w, uint32_t site, uint64_t key)
{
    push_keyed(w, key, record_pack(site, ++w->depth, RECORD_RESUME, RECORD_KEYED));
}
void writer_suspend(struct writer *w, uint32_t site) { writer_push(w, record_pack(site, w->depth--, RECORD_SUSPEND, 0)); }
void writer_put_aside(struct writer *w, uint32_t site, uint64_t key)
{
    push_keyed(w, key, record_pack(site, w->depth--, RECORD_SUSPEND, RECORD_KEYED));
}

void writer_bytes(struct writer *w, uint64_t bytes) { writer_push(w, record_pack_duration(bytes, RECORD_BYTES)); }

void writer_exit_below(struct writer *w, uint32_t site, uint32_t depth, unsigned flags)
{
    writer_push(w, record_pack(site, depth, RECORD_EXIT, flags));
}
void writer_drop(struct writer *w) { writer_push(w, record_pack(0, w->depth--, RECORD_DROP, 0)); }

/* ---- calls that go over to another thread ---- */

/* Written by another thread: its time is that of the lane's last record, for its thread has not been heard of since. */
static void put_taken(struct writer *from, uint64_t key, unsigned flags)
{
    writer_store(from, key, record_pack(0, 0, RECORD_KEY, 0));
    writer_store(from, from->last, record_pack(0, 0, RECORD_TAKEN, flags));
}

/* The audience of a call that waits there. The folded state knows, so there must be nothing that is not folded. */
static uint32_t audience_waiting(struct writer *w, struct writer *from, uint64_t key)
{
    if (!from->mixed)
        return from->audience;
    while (from->folder.tail != from->head)
        fold_of(w, from);
    return folder_audience_waiting(&from->folder, key, w->audience);
}

/* The lane of a thread that has ended has no ring; readers do not ask it for its head. Returns the call's audience. */
static uint32_t take_from(struct writer *w, struct writer *from, uint64_t key, unsigned flags)
{
    pthread_mutex_lock(&from->lock);
    uint32_t audience = audience_waiting(w, from, key);
    if (word_get(&from->lane->state) == LANE_LIVE) {
        put_taken(from, key, flags);
        if (from->head >= from->fold_at)
            fold_of(w, from);
    } else {
        folder_take(&from->folder, key, flags);
        word_put(&from->lane->head, ++from->head);
    }
    pthread_mutex_unlock(&from->lock);
    return audience;
}

/* With the lock of the lanes: none is merged meanwhile. */
static uint32_t take(struct writer *w, uint64_t key, const struct waiting *c, unsigned flags)
{
    const struct lane *lane = c->writer->lane;
    if (word_get(&lane->generation) == c->generation && word_get(&lane->state) != LANE_MERGED)
        return take_from(w, c->writer, key, flags);
    return w->lanes->graveyard ? merge_take(w->lanes->graveyard, key, flags, w->audience) : w->audience;
}

static void put_duration(struct writer *w, uint64_t ticks, unsigned kind, unsigned flags)
{
    writer_store(w, w->last, record_pack_duration(ticks, kind) | record_pack(0, 0, 0, flags));
}

void writer_resume_moved(struct writer *w, uint32_t site, uint64_t key, const struct waiting *c)
{
    _Atomic uint64_t *moves = &w->lanes->segment->header->moves;
    pthread_mutex_lock(&w->lanes->lock);
    uint64_t before = word_get(moves);
    word_put(moves, before + 1); /* pairs with copy_lanes() in snapshot.c, like the next but one */
    uint32_t now = w->audience;
    writer_listen(w, take(w, key, c, 0)); /* it keeps its own */
    push_keyed(w, key, record_pack(site, ++w->depth, RECORD_RESUME, RECORD_KEYED | RECORD_MOVED));
    put_duration(w, w->last > c->since ? w->last - c->since : 0, RECORD_WAITED, 0);
    put_duration(w, c->waited, RECORD_WAITED, RECORD_COUNTED);
    put_duration(w, c->carried, RECORD_CARRIED, 0);
    writer_listen(w, now);
    word_put(moves, before + 2);
    pthread_mutex_unlock(&w->lanes->lock);
}

void writer_end_silently(struct writer *w, uint64_t key, const struct waiting *c)
{
    pthread_mutex_lock(&w->lanes->lock);
    take(w, key, c, RECORD_SILENT);
    pthread_mutex_unlock(&w->lanes->lock);
}

/* ---- ends ---- */

void writer_flush(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    flush(w);
    pthread_mutex_unlock(&w->lock);
}

/* Works on the folded stack, which knows the sites; each of its steps needs a record to count. */
static void cut(struct writer *w, uint64_t when)
{
    flush(w);
    when = when > w->last ? when : w->last;
    while (w->folder.depth) {
        writer_store(w, when, record_pack(0, 0, RECORD_NONE, 0));
        folder_cut(&w->folder, when);
    }
    w->depth = 0;
}

void writer_cut(struct writer *w, uint64_t when)
{
    pthread_mutex_lock(&w->lock);
    cut(w, when);
    pthread_mutex_unlock(&w->lock);
}

void writer_cut_now(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    uint64_t now = clock_ticks();
    cut(w, w->depth ? note_switch(w, now) : now);
    pthread_mutex_unlock(&w->lock);
}

/* Nothing has been handed out since, for the thread has had no event. */
static void note_off_until_stop(struct writer *w, uint64_t when, uint64_t stop)
{
    uint64_t most = when - w->last, off = most;
    if (stop) {
        off = stop - 1 > w->cpu.reported ? stop - 1 - w->cpu.reported : 0;
        off = off < most ? off : most;
        w->cpu.reported += off;
    }
    if (off)
        put_off(w, when, off);
}

/* Stopped with calls open, and not heard of since. */
static bool was_stopped(const struct writer *w) { return word_get(&w->lane->stopped) > w->last; }

void writer_cut_at_stop(struct writer *w, uint64_t when)
{
    pthread_mutex_lock(&w->lock);
    uint64_t stop = 0;
    if (was_stopped(w)) {
        when = word_get(&w->lane->stopped);
        stop = word_get(&w->lane->cpu_stop);
    }
    if (w->depth && when > w->last && w->cpu.mode != CPUTIME_WALL)
        note_off_until_stop(w, when, stop);
    cut(w, when);
    pthread_mutex_unlock(&w->lock);
}

/* What has passed since `when` counts as off the CPU: who stops holds the interpreter's lock, for which others wait. */
static void note_stop(struct writer *w, uint64_t when)
{
    struct cputime_reading now;
    bool read = cputime_read_thread(&now, (pid_t)word_get(&w->lane->tid));
    uint64_t off = read ? cputime_off_between(&w->cpu.base, &now) : 0, since = read && now.ticks > when ? now.ticks - when : 0;
    word_put(&w->lane->cpu_stop, read ? 1 + (off > since ? off - since : 0) : 0);
    word_put(&w->lane->stopped, when);
}

void lanes_note_stop(struct lanes *l, uint64_t when)
{
    pthread_mutex_lock(&l->lock);
    for (struct writer *w = l->all; w; w = w->next) {
        pthread_mutex_lock(&w->lock); /* of a thread that ends meanwhile */
        if (word_get(&w->lane->state) == LANE_LIVE && w->depth && !was_stopped(w))
            note_stop(w, when);
        pthread_mutex_unlock(&w->lock);
    }
    pthread_mutex_unlock(&l->lock);
}

void writer_reset(struct writer *w, uint32_t resets)
{
    pthread_mutex_lock(&w->lock);
    word_put(&w->lane->resets, UINT32_MAX); /* whatever a reader finds from here on counts as nothing */
    w->audience = word_get(&w->lanes->segment->header->audience);
    w->mixed = false;
    folder_reset(&w->folder, w->head, w->audience);
    word_put(&w->lane->first, w->head);
    w->depth = 0;
    if (w->ring)
        w->fold_at = w->folder.tail + (w->mask + 1) / 4 * 3;
    word_put(&w->lane->resets, resets);
    pthread_mutex_unlock(&w->lock);
}
