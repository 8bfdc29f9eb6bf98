#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "chain.h"
#include "cputime.h"
#include "histogram.h"
#include "item_key.h"
#include "process.h"
#include "segment_file.h"
#include "sites.h"

#define STILL_LOOKS 8u /* for one in which no call changes threads */
#define READER_PAGES 16384u /* room in the image for what the reader itself folds */

/* ---- a file that shrinks under us: SIGBUS, within the mapped range only ---- */

static _Thread_local sigjmp_buf guard_jump;
static _Thread_local const char *guard_begin, *guard_end;

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    const char *p = info->si_addr;
    if (guard_begin && p >= guard_begin && p < guard_end)
        siglongjmp(guard_jump, 1);
    signal(signal_number, SIG_DFL); /* not ours: happens again, and counts */
}

/* ---- views ---- */

static int check_header(const struct segment_header *h, uint64_t bytes)
{
    if (h->magic != SEGMENT_MAGIC)
        return -EBADMSG;
    if (h->abi != SEGMENT_ABI)
        return -EPROTONOSUPPORT;
    bool sane = h->page_size == SEGMENT_PAGE && h->header_bytes == sizeof *h && h->lane_bytes == sizeof(struct lane) &&
                h->capacity >= SEGMENT_PAGE && h->capacity <= SEGMENT_MAX_BYTES && h->capacity % SEGMENT_PAGE == 0 &&
                bytes <= h->capacity && clock_source_name(h->clock_source)[0] != 'u';
    return sane ? 0 : -EBADMSG;
}

static void end_strings(struct segment_header *h)
{
    h->boot_id[sizeof h->boot_id - 1] = h->python[sizeof h->python - 1] = h->version[sizeof h->version - 1] = '\0';
    h->command[sizeof h->command - 1] = '\0';
    process_printable(h->boot_id);
    process_printable(h->python);
    process_printable(h->version);
    process_printable(h->command);
}

static int view_header(const struct view *v, uint64_t bytes, struct segment_header *h)
{
    words_read(h, v->base, sizeof *h);
    end_strings(h);
    return check_header(h, bytes);
}

int view_of_memory(struct view *v, const void *base, uint64_t bytes)
{
    *v = (struct view){.base = base, .bytes = bytes & ~(uint64_t)(SEGMENT_PAGE - 1), .fd = -1};
    v->mapped = v->bytes;
    return v->bytes >= SEGMENT_PAGE ? view_header(v, v->bytes, &v->identity) : -EBADMSG;
}

static int file_bytes(int fd, uint64_t *bytes)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -errno;
    *bytes = (uint64_t)s.st_size & ~(uint64_t)(SEGMENT_PAGE - 1);
    return 0;
}

static uint64_t view_bytes_now(const struct view *v)
{
    uint64_t bytes = v->bytes;
    if (v->fd >= 0 && file_bytes(v->fd, &bytes) < 0)
        bytes = 0;
    return bytes < v->mapped ? bytes : v->mapped;
}

static int check_file(int fd, long owner)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -errno;
    return S_ISREG(s.st_mode) && (owner < 0 || s.st_uid == (uid_t)owner) ? 0 : -EPERM;
}

static int map_file(struct view *v, const struct segment_header *header)
{
    void *p = mmap(NULL, header->capacity, PROT_READ, MAP_SHARED | MAP_NORESERVE, v->fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    v->base = p;
    v->mapped = header->capacity;
    v->identity = *header;
    end_strings(&v->identity);
    return 0;
}

int view_open(struct view *v, int dirfd, const char *name, long owner)
{
    struct segment_header header;
    *v = (struct view){.fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (v->fd < 0)
        return errno == ELOOP ? -EPERM : -errno;
    int r = check_file(v->fd, owner);
    if (r == 0)
        r = file_bytes(v->fd, &v->bytes);
    if (r == 0 && (v->bytes < SEGMENT_PAGE || pread(v->fd, &header, sizeof header, 0) != sizeof header))
        r = -EBADMSG;
    if (r == 0)
        r = check_header(&header, v->bytes);
    if (r == 0)
        r = map_file(v, &header);
    if (r < 0) {
        close(v->fd);
        *v = (struct view){.fd = -1};
    }
    return r;
}

void view_close(struct view *v)
{
    if (v->fd < 0)
        return;
    munmap((void *)v->base, v->mapped);
    close(v->fd);
    v->fd = -1;
}

/* ---- copying lanes ---- */

struct ring_copy {
    struct slot *slot;
    uint64_t mask, tail, count;
    uint64_t first; /* == tail, or the record before, which tells when the thread was last heard of */
    struct undo_word *log; /* of the batch in progress */
    uint64_t log_count;
};

struct copier {
    const struct view *view;
    struct snapshot *s;
    const struct snapshot_options *options;
    uint32_t limit;   /* pages that exist */
    uint32_t *owner;  /* per page: page number of the lane that has claimed it */
    uint32_t *stamp;  /* per page: the last walk that came by */
    bool *trusted;    /* per page: the copy's change mark can be relied on */
    uint32_t walk;
    uint32_t grave;   /* page number of the lane of merged ones, which has no ring; 0: none */
    uint64_t deadline;
    struct ring_copy *ring; /* per lane copy */
};

static const void *copier_live(const struct copier *c, uint32_t page) { return (const char *)c->view->base + (size_t)page * SEGMENT_PAGE; }
static void *snapshot_page(const struct snapshot *s, uint32_t page) { return segment_page_at(s->image, page); }
static uint32_t snapshot_page_number(const struct snapshot *s, const struct page_header *page)
{
    return (uint32_t)((size_t)((const char *)page - (const char *)s->image) / SEGMENT_PAGE);
}

static void copier_refresh(struct copier *c)
{
    uint64_t bytes = view_bytes_now(c->view);
    if (bytes / SEGMENT_PAGE > c->limit) /* a file that shrinks is caught by the guard, not by sizes that go back */
        c->limit = (uint32_t)(bytes / SEGMENT_PAGE);
}

/* The file may have grown since it was last looked at. */
static bool copier_has(struct copier *c, uint32_t first, uint32_t count)
{
    if (first >= c->limit || count > c->limit - first)
        copier_refresh(c);
    return first < c->limit && count <= c->limit - first;
}

/* The next page of a walk through the segment, where nothing is to be trusted. False: it does not exist, or the walk has come
 * by before. */
static bool copier_visit(struct copier *c, uint32_t number)
{
    if (number == 0 || !copier_has(c, number, 1) || c->stamp[number] == c->walk)
        return false;
    c->stamp[number] = c->walk;
    return true;
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
static int copy_chain(struct copier *c, const struct lane *live, uint32_t lane_page, enum page_kind kind)
{
    uint32_t number = ((const struct lane *)snapshot_page(c->s, lane_page))->chain[kind];
    c->walk++;
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
        if (copy->used == 0)
            copy->next = 0; /* left from before a reset; nothing lies behind it */
        number = copy->next;
    }
    return 0;
}

static int copy_chains(struct copier *c, const struct lane *live, uint32_t lane_page)
{
    int r = 0;
    for (enum page_kind kind = 0; kind < PAGE_KINDS && r == 0; kind++)
        if (chain_item_size(kind))
            r = copy_chain(c, live, lane_page, kind);
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

/* One look. -EAGAIN: met the writer in the middle of it. */
static int try_copy(struct copier *c, uint32_t page, struct lane_copy *l, struct ring_copy *ring, uint32_t *merges)
{
    const struct lane *live = copier_live(c, page);
    const struct segment_header *header = c->view->base;
    uint64_t before = word_read(&live->commit);
    words_read(l->lane, live, sizeof *live);
    int r = copy_chains(c, live, page);
    *merges = word_read(&header->merges); /* after `merging` and before the second look at commit: counts no merge that began later */
    if (r == 0 && commit_odd(before))
        r = copy_log(c, live, ring);
    if (r < 0 && r != -EBADMSG)
        return r;
    if (word_get(&live->commit) != before)
        return -EAGAIN;
    if (r < 0)
        return r;
    word_set(&l->lane->commit, before);
    word_set(&l->lane->undo_count, ring->log_count);
    r = copy_ring(c, live, l, ring);
    l->cpu_off = word_read(&live->cpu_off); /* after the records that tell of it */
    if (r < 0)
        return r;
    bool same = word_read(&live->generation) == l->lane->generation && word_read(&live->resets) == l->lane->resets &&
                word_read(&live->state) == l->lane->state;
    return same ? 0 : -EAGAIN;
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
static int copier_lane(struct copier *c, uint32_t page, struct lane_copy *l, struct ring_copy *ring, uint32_t *merges)
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

/* ---- is the copy sane? ---- */

struct checker {
    const struct copier *c;
    struct lane_copy *l;
    uint32_t *ordinal; /* per page: 1 + its place among the lane's node pages */
};

static bool is_item(const struct checker *k, segment_ref ref, enum page_kind kind, uint32_t size)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT;
    uint32_t page = (uint32_t)(offset / SEGMENT_PAGE), at = (uint32_t)(offset % SEGMENT_PAGE);
    if (page >= k->c->limit || k->c->owner[page] != k->l->page || at < PAGE_ITEMS_OFFSET || (at - PAGE_ITEMS_OFFSET) % size)
        return false;
    const struct page_header *header = snapshot_page(k->c->s, page);
    return header->kind == (uint32_t)kind && (at - PAGE_ITEMS_OFFSET) / size < header->used;
}

static bool is_node(const struct checker *k, segment_ref ref) { return is_item(k, ref, PAGE_NODE, sizeof(struct node)); }

/* Place of a node in the order of creation: parents come before children, so there is no circle. */
static uint64_t place(const struct checker *k, segment_ref ref)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT;
    return (uint64_t)k->ordinal[offset / SEGMENT_PAGE] * SEGMENT_PAGE + offset % SEGMENT_PAGE;
}

typedef bool check_item(struct checker *k, void *item, segment_ref ref);

static bool each_item(struct checker *k, enum page_kind kind, check_item *check)
{
    struct snapshot *s = k->c->s;
    chain_each_page(page, s->image, k->l->lane->chain[kind])
        for (uint32_t i = 0; i < page->used; i++) {
            void *item = page_item(page, i, chain_item_size(kind));
            if (!check(k, item, segment_ref_of(s->image, item)))
                return false;
        }
    return true;
}

static void number_node_pages(struct checker *k)
{
    const struct snapshot *s = k->c->s;
    uint32_t pages = 0;
    chain_each_page(page, s->image, k->l->lane->chain[PAGE_NODE])
        k->ordinal[snapshot_page_number(s, page)] = ++pages;
}

static bool check_node(struct checker *k, void *item, segment_ref ref)
{
    struct node *n = item;
    n->scratch = n->recent_block[0] = n->recent_block[1] = 0;
    bool is_root = ref == k->l->lane->root, is_other = ref == k->l->lane->other;
    if (n->site > k->c->s->sites || node_caller(n) > k->c->s->sites)
        return false;
    if (is_root)
        return n->parent == 0 && n->site == 0 && n->flags == 0 && n->item.key == 0;
    if (n->flags & NODE_OTHER && !is_other) { /* made, and then the process died */
        n->item.key = 0;
        n->flags = NODE_OTHER;
    }
    return is_node(k, n->parent) && place(k, n->parent) < place(k, ref) && (n->site != 0) == !(n->flags & NODE_OTHER) &&
           n->item.key == key_of_node(n);
}

static bool check_block(struct checker *k, void *item, segment_ref ref)
{
    struct bucket_block *b = item;
    uint64_t key = b->item.key;
    uint32_t site = key_block_site(key);
    unsigned exponent = key_block_exponent(key);
    (void)ref;
    return key == key_block(site, exponent) && exponent < HISTOGRAM_EXPONENTS && site >= 1 && site <= k->c->s->sites;
}

static bool check_suspended(struct checker *k, void *item, segment_ref ref)
{
    struct suspended *w = item;
    segment_ref node = (segment_ref)w->node;
    (void)ref;
    return !node || (is_node(k, node) && key_is_suspended(w->item.key));
}

/* The entries in use, and the root's. */
static bool check_stack(struct checker *k)
{
    const struct lane *lane = k->l->lane;
    uint32_t left = commit_depth(lane->commit) + 1;
    chain_each_page(page, k->c->s->image, lane->chain[PAGE_STACK]) {
        const struct entry *e = page_item(page, 0, sizeof *e);
        if (page->used == 0 || left == 0)
            return true;
        if (page->used != PAGE_ITEMS(struct entry))
            return false;
        for (uint32_t i = 0; i < page->used && left; i++, left--) {
            segment_ref node = (segment_ref)e[i].node;
            if (node && !is_node(k, node))
                return false;
        }
    }
    return lane->chain[PAGE_STACK] != 0;
}

/* The log may name words of the lane and of its items only. Those on a page that the batch has added since the chains were
 * copied are left out: the page is not in the image. */
static bool check_log(const struct checker *k, struct ring_copy *ring)
{
    struct lane *lane = k->l->lane;
    uint64_t kept = 0;
    for (uint64_t i = 0; commit_odd(lane->commit) && i < ring->log_count; i++) {
        uint64_t ref = ring->log[i].ref, offset = ref << SEGMENT_REF_SHIFT, page = offset / SEGMENT_PAGE, at = offset % SEGMENT_PAGE;
        bool known = page < k->c->limit && k->c->owner[page];
        bool in_lane = page == k->l->page && at >= offsetof(struct lane, own) && at < offsetof(struct lane, undo_count);
        bool in_item = page != k->l->page && known && k->c->owner[page] == k->l->page && at >= PAGE_ITEMS_OFFSET;
        if (ref > UINT32_MAX || (known && !in_lane && !in_item))
            return false;
        if (known)
            ring->log[kept++] = ring->log[i];
    }
    lane->undo_count = kept;
    return true;
}

/* Before anything follows a ref. The log comes first: it restores what the others look at. */
static bool check_lane(const struct copier *c, struct lane_copy *l, struct ring_copy *ring, uint32_t *ordinal)
{
    struct checker checker = {.c = c, .l = l, .ordinal = ordinal}, *k = &checker;
    if (!check_log(k, ring))
        return false;
    folder_undo(c->s->image, l->lane, ring->log);
    number_node_pages(k);
    if (!each_item(k, PAGE_NODE, check_node) || !each_item(k, PAGE_HISTOGRAM, check_block) || !each_item(k, PAGE_SUSPENDED, check_suspended))
        return false;
    return is_node(k, l->lane->root) && (!l->lane->other || is_node(k, l->lane->other)) && check_stack(k);
}

static void check_records(const struct snapshot *s, struct ring_copy *ring)
{
    for (uint64_t i = ring->tail; i < ring->tail + ring->count; i++) {
        struct slot *r = &ring->slot[i & ring->mask];
        unsigned kind = record_kind(r->what);
        uint32_t site = record_site(r->what);
        if ((kind == RECORD_ENTER || kind == RECORD_RESUME) && (site == 0 || site > s->sites))
            r->what = record_pack(0, 0, RECORD_KINDS, 0); /* counted as mismatched */
    }
}

/* ---- strings and sites ---- */

static int copier_sites(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    const uint32_t per_page = PAGE_ITEMS(struct site_record);
    uint32_t count = word_read(&h->site_count), number = word_read(&h->site_first);
    copier_refresh(c);
    if (count >= SITES_MAX || count / per_page > c->limit)
        return -EBADMSG;
    c->s->site = calloc((size_t)count + 1, sizeof *c->s->site);
    if (!c->s->site)
        return -ENOMEM;
    c->walk++;
    for (uint32_t done = 0; done < count; done += per_page) {
        if (!copier_visit(c, number))
            return -EBADMSG;
        const struct page_header *page = copier_live(c, number);
        uint32_t here = count - done < per_page ? count - done : per_page;
        if (page->kind != PAGE_SITE)
            return -EBADMSG;
        words_read(&c->s->site[1 + done], page_item(page, 0, 0), here * sizeof(struct site_record));
        number = word_read(&page->next);
    }
    c->s->sites = count;
    return 0;
}

/* A string never changes once it is referred to; what follows it on its page may. */
static void copy_string(struct copier *c, uint32_t ref)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT, number = offset / SEGMENT_PAGE, at = offset % SEGMENT_PAGE;
    uint16_t length;
    if (number == 0 || number >= c->limit || at < PAGE_ITEMS_OFFSET || (c->owner[number] && c->owner[number] != UINT32_MAX))
        return;
    const struct page_header *page = copier_live(c, (uint32_t)number);
    if (page->kind != PAGE_STRING)
        return;
    char *copy = (char *)c->s->image + offset;
    words_read(copy, (const char *)c->view->base + offset, 8);
    memcpy(&length, copy, sizeof length);
    size_t bytes = (sizeof length + length + 7) & ~(size_t)7;
    if (length > SITE_STRING_MAX || bytes > SEGMENT_PAGE - at)
        return;
    words_read(copy, (const char *)c->view->base + offset, bytes);
    memcpy(copy, &length, sizeof length); /* the one that was checked */
    c->owner[number] = UINT32_MAX;
    ((struct page_header *)snapshot_page(c->s, (uint32_t)number))->kind = PAGE_STRING;
}

static void copier_strings(struct copier *c)
{
    for (uint32_t i = 1; i <= c->s->sites; i++) {
        const struct site_record *r = &c->s->site[i];
        copy_string(c, r->name);
        copy_string(c, r->qualname);
        copy_string(c, r->module);
        copy_string(c, r->file);
    }
}

const char *snapshot_string(const struct snapshot *s, uint32_t ref, char *buffer, size_t size)
{
    uint64_t offset = (uint64_t)ref << SEGMENT_REF_SHIFT, at = offset % SEGMENT_PAGE;
    uint16_t length;
    buffer[0] = '\0';
    if (ref == 0 || offset / SEGMENT_PAGE >= s->pages || at < PAGE_ITEMS_OFFSET)
        return buffer;
    const char *p = (const char *)s->image + offset;
    if (((const struct page_header *)snapshot_page(s, (uint32_t)(offset / SEGMENT_PAGE)))->kind != PAGE_STRING)
        return buffer;
    memcpy(&length, p, sizeof length);
    if (length > SITE_STRING_MAX || at + sizeof length + length > SEGMENT_PAGE || length >= size)
        return buffer;
    memcpy(buffer, p + sizeof length, length);
    buffer[length] = '\0';
    process_printable(buffer);
    return buffer;
}

/* ---- lanes that are merged while we look ---- */

static void forget_nodes(struct page_header *page, uint32_t count)
{
    struct node *n = page_item(page, 0, sizeof *n);
    for (uint32_t i = 0; i < count; i++) {
        n[i].inclusive = n[i].children = n[i].calls = n[i].max = n[i].waited = 0;
        n[i].off_inclusive = n[i].off_children = n[i].raised = n[i].cut = 0;
        n[i].min = UINT64_MAX;
    }
}

static void forget_blocks(struct page_header *page, uint32_t count)
{
    struct bucket_block *b = page_item(page, 0, sizeof *b);
    for (uint32_t i = 0; i < count; i++)
        for (unsigned j = 0; j < HISTOGRAM_STEPS; j++)
            b[i].count[j] = 0;
}

static void forget_suspended(struct page_header *page, uint32_t count)
{
    struct suspended *w = page_item(page, 0, sizeof *w);
    for (uint32_t i = 0; i < count; i++)
        w[i].node = 0;
}

/* Of a chain's first `count` items; how many are left to forget elsewhere. */
static uint32_t forget_items(struct snapshot *s, uint32_t number, uint32_t count, void (*forget)(struct page_header *, uint32_t))
{
    chain_each_page(page, s->image, number) {
        uint32_t here = page->used < count ? page->used : count;
        forget(page, here);
        count -= here;
    }
    return count;
}

/* The first `count` items of the lane are in the merged ones already; in the order of merge_lane(). */
static void forget_merged(struct snapshot *s, const struct lane_copy *l, uint32_t count)
{
    struct lane *lane = l->lane;
    count = forget_items(s, lane->chain[PAGE_NODE], count, forget_nodes);
    count = forget_items(s, lane->chain[PAGE_HISTOGRAM], count, forget_blocks);
    if (count) {
        lane->own = lane->off = lane->lost = lane->clamped = lane->mismatched = lane->silent_ends = lane->lost_waits = 0;
        lane->first = l->head;
        forget_items(s, lane->chain[PAGE_SUSPENDED], count - 1, forget_suspended);
    }
}

static void drop_lane(struct snapshot *s, uint32_t page, uint32_t generation)
{
    for (uint32_t i = 0; i < s->lanes; i++)
        if (s->lane[i].page == page && s->lane[i].generation == generation) {
            s->lane[i].state = LANE_MERGED;
            s->lane[i].empty = true;
        }
}

/* Has all of the lane that `merging` names been merged, only that not having been taken back yet? The merge logged last
 * was seen to be in the copy; it is this one if the lane has had no later use. */
static bool all_merged(const struct copier *c, uint64_t merging, uint32_t merges)
{
    const struct segment_header *h = c->view->base;
    uint32_t page = (uint32_t)(merging >> 32);
    if (page >= c->limit || merges == 0)
        return false;
    const struct lane *live = copier_live(c, page);
    uint64_t last = (uint64_t)page << 32 | word_read(&live->generation);
    return word_read(&live->state) == LANE_MERGED && word_read(&h->merge_log[(merges - 1) % SEGMENT_MERGE_LOG]) == last;
}

/* The lane that was being merged when the merged ones were copied: what of it is there counts once. False: it was copied
 * while its thread still ran, or is a later one's, and the half of it that is merged cannot be told from what is not. */
static bool part_merging(struct copier *c, const struct lane_copy *grave, uint32_t merges)
{
    uint64_t merging = grave->lane->merging;
    uint32_t count = commit_tail(grave->lane->commit) - (uint32_t)merging;
    if (!merging || count == 0 || grave->empty || !grave->complete)
        return true;
    for (uint32_t i = 0; i < c->s->lanes; i++) {
        struct lane_copy *l = &c->s->lane[i];
        if (l->page != merging >> 32 || l->state != LANE_EXITED)
            continue;
        if (!l->empty && l->complete)
            forget_merged(c->s, l, count);
        return true;
    }
    return all_merged(c, merging, merges);
}

/* `merges` before the first lane and with the merged lane's copy: what was merged in between is in it. */
static bool merges_account(struct copier *c, const struct lane_copy *grave, uint32_t before, uint32_t after)
{
    const struct segment_header *h = c->view->base;
    if (after - before > SEGMENT_MERGE_LOG)
        return false;
    for (uint32_t i = before; i != after; i++) {
        uint64_t entry = word_read(&h->merge_log[i % SEGMENT_MERGE_LOG]);
        drop_lane(c->s, (uint32_t)(entry >> 32), (uint32_t)entry);
    }
    return word_read(&h->merges) - before <= SEGMENT_MERGE_LOG && part_merging(c, grave, after);
}

/* ---- the whole ---- */

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
        l->complete = l->empty;
        s->complete = s->complete && l->empty;
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

/* All lanes once. -EAGAIN: merges, or a reset, have come between them. */
static int try_lanes(struct copier *c)
{
    const struct segment_header *h = c->view->base;
    uint32_t before = word_read(&h->merges), ignored, number = word_read(&h->lane_first);
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
            c->s->complete = c->s->complete && r == 0;
            return 0;
        }
        forget_lanes(c);
    }
}

static uint32_t reader_page(void *context, enum page_kind kind)
{
    struct snapshot *s = context;
    uint32_t page = s->next_page, count = kind == PAGE_UNDO ? UNDO_PAGES : 1;
    if ((uint64_t)(page + count) * SEGMENT_PAGE > s->image_bytes)
        return 0;
    s->next_page += count;
    if (kind != PAGE_UNDO)
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

static int fold_lane(struct copier *c, uint32_t i, uint32_t *ordinal)
{
    struct lane_copy *l = &c->s->lane[i];
    l->last = last_of(l, &c->ring[i]);
    if (l->empty || !l->complete)
        return 0;
    if (!check_lane(c, l, &c->ring[i], ordinal)) {
        l->complete = c->s->complete = false;
        return 0;
    }
    check_records(c->s, &c->ring[i]);
    int r = folder_attach(&l->folder, c->s->image, l->lane, c->ring[i].tail, reader_page, c->s);
    if (r < 0) {
        l->complete = c->s->complete = false;
        return r == -ENOMEM ? r : 0;
    }
    folder_run(&l->folder, c->ring[i].slot, c->ring[i].mask, c->ring[i].count);
    return 0;
}

static uint64_t now_ticks(const struct segment_header *h)
{
    return h->clock_source == CLOCK_SOURCE_MONOTONIC ? clock_ns(CLOCK_MONOTONIC) : clock_counter();
}

static bool is_recording(const struct snapshot *s) { return s->session.running || s->header.consumers; }

/* Recording was stopped while its calls were open; whatever has begun since, its thread has not been heard of. */
static bool was_stopped(const struct lane_copy *l) { return l->folder.depth && l->lane->stopped > l->last; }

static void asof_choose(struct snapshot *s, const struct snapshot_options *o)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < s->lanes; i++) {
        const struct lane_copy *l = &s->lane[i];
        uint64_t known = l->complete && was_stopped(l) ? l->lane->stopped : l->last;
        if (!l->empty && known > last)
            last = known;
    }
    s->asof = last;
    uint64_t end = is_recording(s) ? (o->alive ? now_ticks(&s->header) : 0) : s->session.stopped;
    if (end > last)
        s->asof = end;
}

struct question {
    const struct snapshot_options *options;
    uint32_t tid;
};

static bool ask_cpu(void *context, uint64_t *cpu)
{
    const struct question *q = context;
    return q->options->ask_cpu(q->options->context, q->tid, cpu);
}

/* Ticks off the CPU since the lane began, as its thread would reckon now, and when that is: what the thread did between `asof` and
 * now nobody could tell. False: what is there to reckon with makes no sense. */
static bool off_now(const struct snapshot *s, const struct lane_copy *l, const struct snapshot_options *o, uint64_t *end, uint64_t *off)
{
    struct question q = {.options = o, .tid = l->tid};
    struct cputime_reading now, base = {l->lane->cpu_base_ticks, l->lane->cpu_base_monotonic, l->lane->cpu_base};
    if (!o->ask_cpu || !base.cpu || !cputime_read(&now, s->header.clock_source, ask_cpu, &q))
        return false;
    if (now.ticks < base.ticks || now.monotonic < base.monotonic || now.cpu < base.cpu)
        return false;
    *end = now.ticks > *end ? now.ticks : *end;
    *off = cputime_off_between(&base, &now);
    return true;
}

static bool off_until_end(const struct snapshot *s, const struct lane_copy *l, const struct snapshot_options *o, uint64_t *end, uint64_t *off)
{
    uint64_t stop = l->lane->cpu_stop;
    if (!was_stopped(l))
        return is_recording(s) && o->alive && off_now(s, l, o, end, off);
    *off = stop - 1;
    return stop != 0;
}

/* What its thread was off the CPU since its last record is not in a record yet. What nobody knows does not count as CPU time. */
static uint64_t end_stretch(const struct snapshot *s, struct lane_copy *l, const struct snapshot_options *o, uint64_t end)
{
    uint64_t total;
    bool known = off_until_end(s, l, o, &end, &total);
    uint64_t stretch = end - l->last, off = stretch;
    if (known) {
        off = total > l->cpu_off ? total - l->cpu_off : 0;
        off = off < stretch ? off : stretch;
    } else
        l->unknown = stretch;
    struct slot r = {.when = end, .what = record_pack_duration(off, RECORD_OFF_CPU)};
    folder_run(&l->folder, &r, 0, 1);
    return end;
}

/* Before it ends: where the call on top is. */
static bool note_open(struct lane_copy *l, size_t *room)
{
    if (!l->folder.top_node)
        return true;
    segment_ref *more = array_room(l->open, l->opens, room, sizeof *more);
    if (!more)
        return false;
    l->open = more;
    l->open[l->opens++] = l->folder.top_node;
    return true;
}

/* Open calls have lasted until `asof`, where their thread's clock was read, until then; or until recording was stopped. */
static int asof_end_calls(struct snapshot *s, const struct snapshot_options *o)
{
    uint64_t latest = s->asof;
    for (uint32_t i = 0; i < s->lanes; i++) {
        struct lane_copy *l = &s->lane[i];
        size_t room = 0;
        if (l->empty || !l->complete)
            continue;
        uint64_t end = was_stopped(l) ? l->lane->stopped : s->asof;
        if (l->folder.depth && end > l->last)
            end = end_stretch(s, l, o, end);
        latest = end > latest ? end : latest;
        while (l->folder.depth) {
            if (l->unknown && !note_open(l, &room))
                return -ENOMEM;
            folder_cut(&l->folder, end);
        }
    }
    s->asof = latest;
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

typedef int view_reader(void *context);

/* The guard is for files only: memory that is ours does not go away. */
static int view_guarded(const struct view *v, view_reader *read, void *context)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER}, before;
    if (v->fd < 0)
        return read(context);
    sigaction(SIGBUS, &action, &before);
    guard_begin = v->base;
    guard_end = guard_begin + v->mapped;
    int r = sigsetjmp(guard_jump, 1) == 0 ? read(context) : -EIO;
    guard_begin = guard_end = NULL;
    sigaction(SIGBUS, &before, NULL);
    return r;
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
    free(s->lane);
    free(s->site);
    *s = (struct snapshot){.complete = false};
}
