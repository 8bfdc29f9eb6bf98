/* Makes the committed corpus: segments as the library writes them, each small, and copies with one thing wrong.
 *
 *   cc -std=c11 -D_GNU_SOURCE -pthread -iquote shared -iquote inject tests/fuzz/make_corpus.c build/release/libtscap-shared.a -lzstd -o make_corpus
 *   ./make_corpus tests/fuzz/corpus */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../support/procedures.h"
#include "../support/recordings.h"
#include "../support/segments.h"
#include "capture_block.h"
#include "capture_file.h"
#include "roster.h"
#include "control.h"
#include "histogram.h"
#include "sparse.h"
#include "track_orders.h"
#include "tracks.h"

struct image {
    char *base;
    size_t bytes;
    struct segment_header *header;
    struct lane *lane; /* the newest */
};

static const char *corpus;

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, folder);
    mkdir(corpus, 0777);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", corpus, folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* ---- segments ---- */

static struct writer *newest;
static struct writer *open_writer(struct test_segment *t, const char *name)
{
    newest = lanes_open(t->lanes, name);
    if (!newest)
        abort();
    return newest;
}

static void calls(struct writer *w, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        writer_enter(w, 1);
        writer_enter(w, 2 + i % 3);
        writer_exit(w, 2 + i % 3, i % 4 ? 0 : RECORD_RAISED);
        writer_exit(w, 1, 0);
    }
}

/* One of everything, some of it still open. */
static void variety(struct writer *w)
{
    writer_enter_keyed(w, 3, 0x1000);
    writer_suspend(w, 3);
    writer_enter(w, 1);
    writer_enter_keyed(w, 4, 0x2000);
    writer_suspend(w, 4);
    writer_resume(w, 3, 0x1000);
    writer_enter(w, 1);
    writer_exit(w, 1, 0);
    writer_exit(w, 3, 0);
    writer_enter(w, 2);
    writer_enter(w, 5);
    writer_bytes(w, 4096);
    writer_exit_below(w, 2, 2, 0);
}

static void bare(struct test_segment *t) { (void)t; }

static void waiting(struct test_segment *t)
{
    struct writer *w = open_writer(t, "records wait");
    calls(w, 5);
    variety(w);
}

static void folded(struct test_segment *t)
{
    struct writer *w = open_writer(t, "folded");
    calls(w, 20);
    variety(w);
    writer_flush(w);
    calls(w, 2);
}

static void threads(struct test_segment *t)
{
    for (int i = 0; i < 2; i++) {
        struct writer *w = open_writer(t, "ended");
        calls(w, 4);
        variety(w);
        lanes_close(t->lanes, w);
    }
    calls(open_writer(t, "live"), 3);
}

static void merged(struct test_segment *t)
{
    for (int i = 0; i < 7; i++) {
        struct writer *w = open_writer(t, "merged");
        calls(w, 3);
        variety(w);
        lanes_close(t->lanes, w);
    }
}

static void dive(struct test_segment *t)
{
    struct writer *w = open_writer(t, "deep");
    for (int i = 0; i < 150; i++)
        writer_enter(w, 1 + (uint32_t)i % 2);
    writer_flush(w);
    for (int i = 0; i < 20; i++)
        writer_exit(w, 2 - (uint32_t)i % 2, 0);
}

/* The reader has to grow the stack. */
static void dive_waiting(struct test_segment *t)
{
    struct writer *w = open_writer(t, "deep");
    for (int i = 0; i < 150; i++)
        writer_enter(w, 1 + (uint32_t)i % 2);
    for (int i = 0; i < 100; i++)
        writer_exit(w, 2 - (uint32_t)i % 2, 0);
}

/* Calls on paths that were given up are open when the reader goes on; they recur, wait and end below others. */
static void flat(struct test_segment *t)
{
    struct writer *w = open_writer(t, "flat");
    w->folder.node_limit = 3;
    calls(w, 4);
    for (uint32_t i = 0; i < 6; i++)
        writer_enter(w, 1 + i % 3);
    writer_flush(w);
    calls(w, 2);
    writer_exit(w, 3, 0);
    variety(w);
}

static void flat_merged(struct test_segment *t)
{
    for (int i = 0; i < 4; i++) {
        flat(t);
        lanes_close(t->lanes, newest);
    }
}

/* Generators whose memory others took. */
static void silent_ends(struct test_segment *t)
{
    struct writer *w = open_writer(t, "silent");
    for (uint32_t i = 0; i < 3; i++) {
        writer_enter_keyed(w, 1 + i, 0x1000);
        writer_suspend(w, 1 + i);
    }
    writer_resume(w, 5, 0x1000);
    writer_suspend(w, 5);
    writer_resume(w, 5, 0x3000);
}

/* Generators that others go on with, from lanes that live, have ended and are merged; one in the middle of it. */
static void moved(struct test_segment *t)
{
    struct waiting at[6];
    for (uint32_t i = 0; i < 6; i++) {
        struct writer *w = open_writer(t, "moved from");
        writer_enter_keyed(w, 1, 0x1000 + 64 * i);
        writer_suspend(w, 1);
        at[i] = (struct waiting){w, w->lane->generation, w->last, 100, 7};
        if (i < 5)
            lanes_close(t->lanes, w);
    }
    struct writer *w = open_writer(t, "moved to");
    for (uint32_t i = 1; i < 6; i++)
        writer_resume_moved(w, 1, 0x1000 + 64 * i, &at[i]);
    writer_end_silently(w, 0x1000, &at[0]);
    writer_exit(w, 1, RECORD_RAISED);
    t->segment.header->moves++;
}

static void running(struct test_segment *t)
{
    waiting(t);
    t->segment.header->session_flags = SESSION_RUNNING;
    t->segment.header->session_started = 1;
    t->segment.header->consumers = 1;
}

static void compact_lanes(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    const struct test_segment *t = context;
    lanes_compact(t->lanes, audience, all, used);
}

static struct roster *table;
static uint32_t session, profiler;

static void listen_and_call(struct writer *w)
{
    writer_listen(w, roster_audience(table));
    calls(w, 3);
}

/* Two profilers, one of which runs and has tracks, and rows of a third, which is gone. */
static void tracks(struct test_segment *t)
{
    static const uint32_t sites[] = {1, 2};
    struct tracks *rows = tracks_new(&t->segment, t->sites);
    struct writer *w = open_writer(t, "hit");
    table = roster_new(&t->segment, compact_lanes, t);
    uint32_t one = roster_add(table, CONSUMER_PROFILER, "shop", &(struct roster_selection){.site = sites, .sites = 2});
    uint32_t other = roster_add(table, CONSUMER_PROFILER, "empty", &(struct roster_selection){.text = ""});
    roster_switch(table, one, CONSUMER_STARTED);
    roster_switch(table, other, CONSUMER_SWITCHES);
    roster_begin(table, one, 0, 1);
    writer_listen(w, roster_audience(table));
    calls(w, 3);
    tracks_add(rows, &(struct track){.profiler = one, .flags = TRACK_ENABLED, .id = "10", .name = "Requests"});
    tracks_add(rows, &(struct track){.profiler = one, .track = 1, .site = 1, .id = "query"});
    tracks_add(rows, &(struct track){.profiler = one, .track = 1, .site = 2, .id = "query"});
    tracks_add(rows, &(struct track){.profiler = one, .flags = TRACK_WORD, .id = "word"});
    tracks_add(rows, &(struct track){.profiler = 9, .flags = TRACK_ENABLED, .id = "3"});
    tracks_add(rows, &(struct track){.profiler = 9, .track = 5, .site = 3, .id = "gone"});
    tracks_delete(rows);
    roster_delete(table);
}

/* Two consumers, one of which selects and is cleared; calls that began before and go on. */
static void consumers(struct test_segment *t)
{
    static const uint32_t sites[] = {1, 3};
    struct writer *w = open_writer(t, "heard");
    table = roster_new(&t->segment, compact_lanes, t);
    session = roster_add(table, CONSUMER_SESSION, "session", &(struct roster_selection){.all = true});
    profiler = roster_add(table, CONSUMER_PROFILER, "profiler", &(struct roster_selection){.site = sites, .sites = 2, .text = "f1 f3"});
    roster_begin(table, session, 0, 1);
    writer_listen(w, roster_audience(table));
    variety(w);
    roster_begin(table, profiler, 0, 2);
    listen_and_call(w);
    roster_select(table, profiler, &(struct roster_selection){.site = sites, .sites = 1, .text = "f1"});
    listen_and_call(w);
    roster_clear(table, session, 3);
    listen_and_call(w);
    writer_flush(w);
    listen_and_call(w);
}

static void compacted(struct test_segment *t)
{
    uint8_t audience[SEGMENT_AUDIENCES] = {0};
    bool used[SEGMENT_AUDIENCES] = {false};
    consumers(t);
    roster_remove(table, profiler, 4);
    audience[roster_audience(table)] = (uint8_t)roster_audience(table);
    lanes_compact(t->lanes, audience, true, used);
    listen_and_call(newest);
}

static void two_pages_of_sites(struct test_segment *t)
{
    char name[8];
    struct site site = {.name = name, .qualname = name, .module = "m", .file = "m.py"};
    for (uint32_t i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "g%u", i);
        sites_intern(t->sites, &site);
    }
}

static void long_names(struct test_segment *t)
{
    static char name[SITE_STRING_MAX + 2];
    struct site site = {.name = name, .qualname = "\xff\xed\xb3\xa9\xc0\x80\n", .module = "m", .file = name};
    memset(name, 'n', 3 * STRING_PIECE);
    sites_intern(t->sites, &site);
}

static void stopped(struct test_segment *t)
{
    struct writer *w = open_writer(t, "stopped");
    variety(w);
    uint64_t when = clock_ticks();
    writer_cut(w, when);
    t->segment.header->session_started = when - 1000;
    t->segment.header->session_stopped = when;
}

static struct image image_of(const struct test_segment *t)
{
    struct image m = {.bytes = (size_t)t->segment.header->pages_used * SEGMENT_PAGE};
    m.base = malloc(m.bytes);
    memcpy(m.base, t->segment.base, m.bytes);
    m.header = (struct segment_header *)m.base;
    m.lane = m.header->lane_first ? segment_page_at(m.base, m.header->lane_first) : NULL;
    /* whatever machine made it */
    snprintf(m.header->boot_id, sizeof m.header->boot_id, "00000000-0000-0000-0000-000000000000");
    memset(m.header->command, 0, sizeof m.header->command); /* who makes them is nobody's business */
    memcpy(m.header->command, "python3 app.py", sizeof "python3 app.py");
    m.header->pid = 4242;
    m.header->parent_pid = 0;
    m.header->start_time = 1234567;
    for (uint32_t n = m.header->lane_first; n; n = ((struct lane *)segment_page_at(m.base, n))->lane_next)
        ((struct lane *)segment_page_at(m.base, n))->tid = 4242;
    return m;
}

/* ---- what is wrong with them ---- */

static struct page_header *first_page(const struct image *m, enum page_kind kind) { return segment_page_at(m->base, m->lane->side[0].chain[kind]); }
static struct node *nodes(const struct image *m) { return (struct node *)((char *)first_page(m, PAGE_NODE) + PAGE_ITEMS_OFFSET); }
static struct entry *entries(const struct image *m) { return (struct entry *)((char *)first_page(m, PAGE_STACK) + PAGE_ITEMS_OFFSET); }
static struct slot *ring(const struct image *m) { return segment_page_at(m->base, m->lane->ring); }
static struct undo_word *undo_log(const struct image *m) { return segment_page_at(m->base, m->lane->undo_page); }

static void as_it_is(struct image *m) { (void)m; }
static void other_abi(struct image *m) { m->header->abi++; }
static void huge_capacity(struct image *m) { m->header->capacity = UINT64_MAX & ~4095ull; }
static void bad_clock(struct image *m) { m->header->clock_source = 99; }
static void many_sites(struct image *m) { m->header->site_count = 0xffffff; }
static struct long_string *long_name(const struct image *m)
{
    const struct site_record *last = (struct site_record *)((char *)segment_page_at(m->base, m->header->site_first) + PAGE_ITEMS_OFFSET);
    return segment_at(m->base, last[m->header->site_count - 1].name);
}
static void too_many_pieces(struct image *m) { long_name(m)->pieces = 0xffff; }
static void no_pieces(struct image *m) { long_name(m)->pieces = 0; }
static void pieces_in_itself(struct image *m)
{
    struct long_string *l = long_name(m);
    l->piece[0] = l->piece[2] = segment_ref_of(m->base, l);
}
static void pieces_elsewhere(struct image *m)
{
    struct long_string *l = long_name(m);
    l->piece[1] = UINT32_MAX;
}
static void cyclic_sites(struct image *m)
{
    ((struct page_header *)segment_page_at(m->base, m->header->site_first))->next = m->header->site_first;
    m->header->site_count = 300;
}
static void wild_strings(struct image *m)
{
    struct site_record *r = (struct site_record *)((char *)segment_page_at(m->base, m->header->site_first) + PAGE_ITEMS_OFFSET);
    r[0].name = UINT32_MAX;
    r[0].qualname = 1;
    r[0].file = r[1].file + 511;
    r[1].module = m->header->lane_first * 512 + 9;
}
static void cyclic_lanes(struct image *m) { m->lane->lane_next = m->header->lane_first; }
static void cyclic_unused_lanes(struct image *m)
{
    cyclic_lanes(m);
    m->lane->state = LANE_NEW;
}
static void lane_is_graveyard(struct image *m) { m->header->graveyard = m->header->lane_first; }
static void cyclic_nodes(struct image *m) { first_page(m, PAGE_NODE)->next = m->lane->side[0].chain[PAGE_NODE]; }
static void shared_chain(struct image *m) { m->lane->side[0].chain[PAGE_HISTOGRAM] = m->lane->side[0].chain[PAGE_NODE]; }
static void chain_in_lane(struct image *m) { m->lane->side[0].chain[PAGE_NODE] = m->header->lane_first; }
static void many_items(struct image *m) { first_page(m, PAGE_NODE)->used = UINT32_MAX; }
static void own_parent(struct image *m) { nodes(m)[1].parent = segment_ref_of(m->base, &nodes(m)[1]); }
static void wild_parent(struct image *m) { nodes(m)[2].parent = UINT32_MAX; }
static void wild_site(struct image *m) { nodes(m)[1].identity = 0xffffff; }
static void wild_root(struct image *m) { m->lane->side[0].root = 3; }
static void wild_entry(struct image *m) { entries(m)[1].node = UINT32_MAX; }
static void same_keys(struct image *m)
{
    for (uint32_t i = 1; i < first_page(m, PAGE_NODE)->used; i++)
        nodes(m)[i].item.key = nodes(m)[1].item.key;
}
static void huge_depth(struct image *m) { m->lane->commit = commit_pack(commit_tail(m->lane->commit), 0x3fffffff, 0, 0); }
static void deep_and_short_of_stack(struct image *m)
{
    m->lane->commit = commit_pack(commit_tail(m->lane->commit), PAGE_ITEMS(struct entry), 0, 0);
}
static void huge_head(struct image *m) { m->lane->head = UINT64_MAX; }
static void no_ring(struct image *m) { m->lane->ring = 0; }
static void odd_ring(struct image *m) { m->lane->ring_slots = 1000; }
static void ring_outside(struct image *m) { m->lane->ring = m->header->pages_used - 1; }
static void wild_records(struct image *m)
{
    for (uint64_t i = 0; i < 1024; i++) {
        ring(m)[i].what = i * 0x9e3779b97f4a7c15ull;
        ring(m)[i].when = i % 3 ? i << 40 : UINT64_MAX - i;
    }
    m->lane->head = 600;
}
static void open_batch(struct image *m)
{
    undo_log(m)[0].ref = segment_ref_of(m->base, &nodes(m)[1].calls);
    undo_log(m)[0].old = 1;
    undo_log(m)[1].ref = segment_ref_of(m->base, &m->lane->lost);
    undo_log(m)[1].old = 0;
    m->lane->undo_count = 2;
    m->lane->commit |= 1;
}
static void wild_log(struct image *m)
{
    open_batch(m);
    undo_log(m)[1].ref = UINT64_MAX >> 3;
}
static void log_of_headers(struct image *m)
{
    open_batch(m);
    undo_log(m)[0].ref = m->lane->side[0].chain[PAGE_NODE] * 512 + 1;
}
static void log_of_new_page(struct image *m)
{
    open_batch(m);
    undo_log(m)[0].ref = (m->header->pages_used - 1) * 512 + 9;
}
static void long_log(struct image *m)
{
    open_batch(m);
    m->lane->undo_count = UINT64_MAX;
}
static void merging_wild(struct image *m)
{
    struct lane *grave = segment_page_at(m->base, m->header->graveyard);
    grave->merging = (uint64_t)m->header->pages_used << 32 | 1;
}
static void merging_half(struct image *m)
{
    struct lane *grave = segment_page_at(m->base, m->header->graveyard);
    grave->merging = (uint64_t)m->header->lane_first << 32 | (commit_tail(grave->commit) - 3);
}
static void merging_all_but_its_end(struct image *m)
{
    struct lane *grave = segment_page_at(m->base, m->header->graveyard);
    grave->merging = (uint64_t)m->header->lane_first << 32 | (commit_tail(grave->commit) - 1000);
}
/* Its lane is no longer there: it is the one logged last, or another. */
static void merging_gone(struct image *m)
{
    merging_all_but_its_end(m);
    m->lane->state = LANE_MERGED;
    m->header->merge_log[(m->header->merges - 1) % SEGMENT_MERGE_LOG] = (uint64_t)m->header->lane_first << 32 | m->lane->generation;
}
static void merging_of_another(struct image *m)
{
    merging_gone(m);
    m->lane->generation++;
}
static void many_merges(struct image *m) { m->header->merges = UINT32_MAX; }
static void other_unlinked(struct image *m) { m->lane->side[0].other = 0; }
static void short_stack_page(struct image *m) { first_page(m, PAGE_STACK)->used = 2; }
static void empty_stack_page(struct image *m) { first_page(m, PAGE_STACK)->used = 0; }
static void clock_that_steps_back(struct image *m)
{
    for (uint64_t i = 0; i < m->lane->head; i++)
        ring(m)[i].when = 1000 - i;
}
static void costs_beyond_all_numbers(struct image *m) /* at a tick a second, as fuzz_segment.c decides it */
{
    m->header->pid = 3;
    m->header->call_cost = m->lane->own = UINT64_MAX;
    nodes(m)[1].calls = nodes(m)[1].inclusive = UINT64_MAX;
}
static void stopped_later(struct image *m) { m->header->session_stopped = UINT64_MAX >> 1; }
static void sites_elsewhere(struct image *m)
{
    struct page_header *page = segment_page_at(m->base, m->header->site_first);
    const struct site_record *r = (struct site_record *)((char *)page + PAGE_ITEMS_OFFSET);
    page->next = r[0].name / (SEGMENT_PAGE >> SEGMENT_REF_SHIFT);
}
static void alive(struct image *m) { m->header->pid |= 1; } /* as fuzz_segment.c decides it */
static void long_string(struct image *m)
{
    struct site_record *r = (struct site_record *)((char *)segment_page_at(m->base, m->header->site_first) + PAGE_ITEMS_OFFSET);
    *(uint16_t *)segment_at(m->base, r[0].name) = UINT16_MAX;
}
static void other_reset(struct image *m) { m->lane->resets = 7; }
static void session_busy(struct image *m) { m->header->session_seq = 1; }
static void truncated(struct image *m) { m->bytes = SEGMENT_PAGE * 9; }
static void header_only(struct image *m) { m->bytes = SEGMENT_PAGE; }

static struct consumer_table *table_of(const struct image *m)
{
    return segment_page_at(m->base, m->header->consumer_pages + (m->header->consumer_turn & 1) * CONSUMER_PAGES);
}
static struct page_header *selection_of(const struct image *m)
{
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (table_of(m)->consumer[i].selection)
            return segment_page_at(m->base, table_of(m)->consumer[i].selection);
    abort();
}
static void table_in_lane(struct image *m) { m->header->consumer_pages = m->header->lane_first; }
static void table_at_end(struct image *m)
{
    uint32_t last = (uint32_t)(m->bytes / SEGMENT_PAGE) - 1;
    ((struct page_header *)segment_page_at(m->base, last))->kind = PAGE_CONSUMER;
    m->header->consumer_pages = last;
}
static void cyclic_selection(struct image *m) { selection_of(m)->next = (uint32_t)(((char *)selection_of(m) - m->base) / SEGMENT_PAGE); }
static void selection_elsewhere(struct image *m) { selection_of(m)->kind = PAGE_NODE; }
static void wild_selection(struct image *m)
{
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        table_of(m)->consumer[i].selection = 0xfffffff0u + i;
}
static void all_members(struct image *m)
{
    for (unsigned n = 0; n < SEGMENT_AUDIENCES; n++)
        table_of(m)->member[n] = UINT64_MAX;
}
static void same_consumer(struct image *m)
{
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        table_of(m)->consumer[i].number = table_of(m)->consumer[i].kind = 1;
}
static void wild_audience(struct image *m) { nodes(m)[1].identity |= 0xff000000u; }
static void other_side(struct image *m) { m->lane->commit ^= commit_pack(0, 0, 1, 0); }
static void both_sides_the_same(struct image *m)
{
    for (unsigned i = 0; i < sizeof m->lane->side[0] / 8; i++)
        ((_Atomic uint64_t *)&m->lane->side[1])[i] = ((_Atomic uint64_t *)&m->lane->side[0])[i];
    other_side(m);
}
static struct page_header *track_page(const struct image *m) { return segment_page_at(m->base, m->header->track_first); }
static void tracks_elsewhere(struct image *m) { m->header->track_first = m->header->site_first; }
static void many_tracks(struct image *m)
{
    m->header->track_count = 4 * PAGE_ITEMS(struct track_record);
    track_page(m)->next = m->header->track_first;
}
/* Of each other, of themselves and of none; texts and sites anywhere. */
static void wild_tracks(struct image *m)
{
    struct track_record *r = (struct track_record *)((char *)track_page(m) + PAGE_ITEMS_OFFSET);
    m->header->track_count = PAGE_ITEMS(struct track_record);
    for (uint32_t i = 0; i < m->header->track_count; i++)
        r[i] = (struct track_record){.profiler = 1 + i % 2, .track = i * 7 % 130, .site = i % 9, .flags = i, .id = i * 37, .name = UINT32_MAX - i};
}
static void huge_times(struct image *m)
{
    for (unsigned i = 1; i < first_page(m, PAGE_NODE)->used; i++)
        nodes(m)[i].inclusive = (1ull << 63) + 5;
}

/* Sums that contradict each other: calls of no time, squares of everything. */
static void wild_squares(struct image *m)
{
    for (unsigned i = 1; i < first_page(m, PAGE_NODE)->used; i++) {
        nodes(m)[i].squares[0] = UINT64_MAX - i;
        nodes(m)[i].squares[1] = UINT64_MAX;
        nodes(m)[i].unended = i % 2 ? nodes(m)[i].inclusive : 1;
        nodes(m)[i].bytes = UINT64_MAX;
    }
}
static struct bucket_block *blocks(const struct image *m) { return (struct bucket_block *)((char *)first_page(m, PAGE_HISTOGRAM) + PAGE_ITEMS_OFFSET); }
static void wild_kind_of_block(struct image *m) { blocks(m)[0].item.key |= (uint64_t)BLOCK_KINDS << 6; }
static void wild_extremes(struct image *m)
{
    for (unsigned i = 0; i < first_page(m, PAGE_HISTOGRAM)->used; i++) {
        blocks(m)[i].min = i % 2 ? UINT64_MAX : 0;
        blocks(m)[i].max = i % 3 ? 0 : UINT64_MAX;
        blocks(m)[i].count[i % HISTOGRAM_STEPS] = i % 4 ? 1ull << 63 : 0;
    }
}

static const struct {
    const char *name;
    void (*make)(struct test_segment *t);
    const char *wrong;
    void (*spoil)(struct image *m);
} inputs[] = {
    {"bare", bare, "", as_it_is},
    {"waiting", waiting, "", as_it_is},
    {"folded", folded, "", as_it_is},
    {"threads", threads, "", as_it_is},
    {"merged", merged, "", as_it_is},
    {"dive", dive, "", as_it_is},
    {"stopped", stopped, "", as_it_is},
    {"dive-waiting", dive_waiting, "", as_it_is},
    {"flat", flat, "", as_it_is},
    {"flat-merged", flat_merged, "", as_it_is},
    {"silent-ends", silent_ends, "", as_it_is},
    {"moved", moved, "", as_it_is},
    {"running", running, "", as_it_is},
    {"running", running, "-alive", alive},
    {"sites", two_pages_of_sites, "", as_it_is},
    {"long-names", long_names, "", as_it_is},
    {"long-names", long_names, "-too-many-pieces", too_many_pieces},
    {"long-names", long_names, "-no-pieces", no_pieces},
    {"long-names", long_names, "-pieces-in-itself", pieces_in_itself},
    {"long-names", long_names, "-pieces-elsewhere", pieces_elsewhere},
    {"sites", two_pages_of_sites, "-elsewhere", sites_elsewhere},
    {"bare", bare, "-long-string", long_string},
    {"bare", bare, "-other-abi", other_abi},
    {"bare", bare, "-huge-capacity", huge_capacity},
    {"bare", bare, "-bad-clock", bad_clock},
    {"bare", bare, "-many-sites", many_sites},
    {"bare", bare, "-cyclic-sites", cyclic_sites},
    {"bare", bare, "-session-busy", session_busy},
    {"folded", folded, "-wild-strings", wild_strings},
    {"folded", folded, "-cyclic-lanes", cyclic_lanes},
    {"folded", folded, "-cyclic-unused-lanes", cyclic_unused_lanes},
    {"folded", folded, "-lane-is-graveyard", lane_is_graveyard},
    {"folded", folded, "-cyclic-nodes", cyclic_nodes},
    {"folded", folded, "-shared-chain", shared_chain},
    {"folded", folded, "-chain-in-lane", chain_in_lane},
    {"folded", folded, "-many-items", many_items},
    {"folded", folded, "-own-parent", own_parent},
    {"folded", folded, "-wild-parent", wild_parent},
    {"folded", folded, "-wild-site", wild_site},
    {"folded", folded, "-wild-root", wild_root},
    {"folded", folded, "-wild-entry", wild_entry},
    {"folded", folded, "-same-keys", same_keys},
    {"folded", folded, "-huge-depth", huge_depth},
    {"folded", folded, "-deeper-than-stack", deep_and_short_of_stack},
    {"folded", folded, "-huge-head", huge_head},
    {"folded", folded, "-no-ring", no_ring},
    {"folded", folded, "-odd-ring", odd_ring},
    {"folded", folded, "-ring-outside", ring_outside},
    {"folded", folded, "-wild-records", wild_records},
    {"folded", folded, "-open-batch", open_batch},
    {"folded", folded, "-wild-log", wild_log},
    {"folded", folded, "-log-of-headers", log_of_headers},
    {"folded", folded, "-log-of-new-page", log_of_new_page},
    {"folded", folded, "-long-log", long_log},
    {"folded", folded, "-other-reset", other_reset},
    {"folded", folded, "-wild-squares", wild_squares},
    {"folded", folded, "-wild-kind-of-block", wild_kind_of_block},
    {"folded", folded, "-wild-extremes", wild_extremes},
    {"folded", folded, "-truncated", truncated},
    {"folded", folded, "-header-only", header_only},
    {"dive", dive, "-huge-depth", huge_depth},
    {"merged", merged, "-merging-wild", merging_wild},
    {"merged", merged, "-merging-half", merging_half},
    {"merged", merged, "-many-merges", many_merges},
    {"threads", threads, "-stopped-later", stopped_later},
    {"waiting", waiting, "-clock-that-steps-back", clock_that_steps_back},
    {"dive", dive, "-short-stack-page", short_stack_page},
    {"dive", dive, "-empty-stack-page", empty_stack_page},
    {"flat", flat, "-other-unlinked", other_unlinked},
    {"flat", flat, "-costs-beyond-all-numbers", costs_beyond_all_numbers},
    {"merged", merged, "-merging-all-but-its-end", merging_all_but_its_end},
    {"merged", merged, "-merging-gone", merging_gone},
    {"merged", merged, "-merging-of-another", merging_of_another},
    {"consumers", consumers, "", as_it_is},
    {"consumers", consumers, "-table-in-lane", table_in_lane},
    {"consumers", consumers, "-table-at-end", table_at_end},
    {"consumers", consumers, "-cyclic-selection", cyclic_selection},
    {"consumers", consumers, "-selection-elsewhere", selection_elsewhere},
    {"consumers", consumers, "-wild-selection", wild_selection},
    {"consumers", consumers, "-all-members", all_members},
    {"consumers", consumers, "-same-consumer", same_consumer},
    {"consumers", consumers, "-wild-audience", wild_audience},
    {"consumers", consumers, "-huge-times", huge_times},
    {"consumers", consumers, "-other-side", other_side},
    {"tracks", tracks, "", as_it_is},
    {"tracks", tracks, "-elsewhere", tracks_elsewhere},
    {"tracks", tracks, "-many", many_tracks},
    {"tracks", tracks, "-wild", wild_tracks},
    {"compacted", compacted, "", as_it_is},
    {"compacted", compacted, "-other-side", other_side},
    {"compacted", compacted, "-both-sides-the-same", both_sides_the_same},
};

static void write_segment(size_t i)
{
    struct test_segment t;
    char name[64];
    struct lanes_options o = small_lanes();
    o.keep_exited = 2;
    if (segment_begin(&t, 4 << 20, &o) < 0)
        abort();
    intern_numbered(&t, 5);
    inputs[i].make(&t);
    struct image m = image_of(&t);
    inputs[i].spoil(&m);
    uint8_t *out = malloc(2 * m.bytes);
    snprintf(name, sizeof name, "%s%s", inputs[i].name, inputs[i].wrong);
    write_file("fuzz_segment", name, out, sparse_encode(m.base, m.bytes, out));
    free(out);
    free(m.base);
    segment_end(&t);
}

/* ---- the control socket, names and text ---- */

static void write_text(const char *name, const char *text) { write_file("fuzz_control", name, text, strlen(text)); }

static void write_control(void)
{
    for (uint32_t command = 0; command <= CONTROL_COMMANDS; command++) {
        struct control_request r = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .command = command};
        char name[32];
        snprintf(name, sizeof name, "request-%u", command);
        write_file("fuzz_control", name, &r, sizeof r);
    }
    struct control_request old = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION + 1, .command = CONTROL_STOP};
    write_file("fuzz_control", "request-of-another-version", &old, sizeof old);
    write_file("fuzz_control", "half-a-request", &old, sizeof old / 2);
    write_text("tracks", "enable=3:7\ndisable=4294967295:1\n");
    write_text("tracks-none", "enable=0:4294967296\n");
    write_text("name", "4242-1234567.tscap");
    write_text("name-socket", "4242-1234567.sock");
    write_text("name-negative", "-4242-1234567.tscap");
    write_text("name-zeros", "04242-01234567.tscap");
    write_text("name-huge", "99999999999-99999999999999999999999999.tscap");
    write_text("text-escape", "\033]0;title\007\033[31mred\x7f\r\n");
    write_text("text-c1", "\xc2\x9b" "31m \xc2\xa0 \xc2");
    write_text("text-broken", "\xff\xfe \xe2\x82 \xe2\x82\xac \xf0\x9f\x98\x80 \xf0\x9f \x80 \xc0\x80 \xf5\x80\x80\x80");
}

/* ---- split functions ---- */

static struct procedures split;

/* A function, one that could be called, two parts; the function is tied to the third. */
static void make_split(unsigned machine)
{
    procedures_begin(&split, 4);
    procedures_add(&split, 4, procedures_function);
    procedures_add(&split, 4, procedures_function);
    procedures_add(&split, 4, procedures_part);
    procedures_add(&split, 4, procedures_part);
    for (size_t i = 0; i < 5; i++) {
        procedures_put_jump(&split, machine, 0, i, 2, 16 + 4 * i);
        procedures_put_jump(&split, machine, 2, i, 0, 16 + 4 * i);
    }
}

/* As fuzz_split.c takes it: where the header is, the function, for which machine; then the image. */
static void write_split(const char *name, unsigned machine)
{
    static uint8_t input[16 + sizeof split];
    uint32_t header = PROCEDURES_TABLE - PROCEDURES_CODE;
    procedures_table(&split);
    size_t size = header + split.used;
    memcpy(input, &header, sizeof header);
    input[8] = machine == EM_AARCH64;
    memcpy(input + 16, &split, size);
    write_file("fuzz_split", name, input, 16 + size);
}

static void write_splits(void)
{
    make_split(EM_X86_64);
    write_split("x86_64", EM_X86_64);
    for (size_t i = 0; i < 4; i++) { /* both parts fit */
        procedures_put_jump(&split, EM_X86_64, 0, 8 + i, 3, 4 + 4 * i);
        procedures_put_jump(&split, EM_X86_64, 3, i, 0, 4 + 4 * i);
    }
    write_split("x86_64-two", EM_X86_64);
    make_split(EM_X86_64);
    split.used -= 10;
    write_split("x86_64-cut-off", EM_X86_64);
    make_split(EM_AARCH64);
    write_split("aarch64", EM_AARCH64);
    make_split(EM_AARCH64);
    memset(split.table + split.used - 5, 0xff, 5); /* instructions of call frames */
    write_split("aarch64-odd-frames", EM_AARCH64);
}

/* ---- captures ---- */

static uint8_t capture[1 << 16];

static size_t make_capture(capture_compressor *compress, unsigned looks)
{
    struct recording r = make_recording();
    struct capture_writer *w;
    int fd = memfd_create("capture", MFD_CLOEXEC);
    bool made = fd >= 0 && capture_writer_open(&w, fd, compress, false) == 0;
    for (unsigned i = 0; made && i < looks; i++)
        made = capture_writer_look(w, &r) == 0;
    if (!made || capture_writer_finish(w) < 0)
        abort();
    ssize_t n = pread(fd, capture, sizeof capture, 0);
    capture_writer_free(w);
    recording_free(&r);
    close(fd);
    return (size_t)n;
}

/* Whole by its sum, and of lengths that are told wrongly. */
static void write_lie(const char *name, struct capture_block b, const void *body, uint32_t bytes)
{
    struct capture_header h = {.major = CAPTURE_MAJOR, .bytes = CAPTURE_FILE_HEADER};
    b.stored = bytes;
    capture_header_encode(capture, &h);
    capture_block_encode(capture + CAPTURE_FILE_HEADER, &b, body);
    memcpy(capture + CAPTURE_FILE_HEADER + CAPTURE_BLOCK_HEADER, body, bytes);
    write_file("fuzz_capture", name, capture, CAPTURE_FILE_HEADER + CAPTURE_BLOCK_HEADER + bytes);
}

static void write_captures(void)
{
    size_t bytes = make_capture(NULL, 1);
    write_file("fuzz_capture", "plain", capture, bytes);
    write_file("fuzz_capture", "cut", capture, bytes - bytes / 3);
    bytes = make_capture(capture_zstd, 2);
    write_file("fuzz_capture", "compressed", capture, bytes);
    capture[12] = 2;
    write_file("fuzz_capture", "another-version", capture, bytes);
    write_lie("rows-without-columns", (struct capture_block){.kind = CAPTURE_NODES, .raw = 3}, "\0\x7f\0", 3);
    write_lie("many-strings", (struct capture_block){.kind = CAPTURE_STRINGS, .raw = 4}, "\1\x7f\0\0", 4);
    write_lie("no-frame", (struct capture_block){.kind = CAPTURE_TOTALS, .flags = CAPTURE_COMPRESSED, .raw = 9, .look = 1}, "\x28\xb5\x2f\xfd", 4);
}

int main(int argc, char **argv)
{
    corpus = argc > 1 ? argv[1] : "tests/fuzz/corpus";
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        write_segment(i);
    write_control();
    write_splits();
    write_captures();
    return 0;
}
