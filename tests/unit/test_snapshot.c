/* Reading what somebody else writes: files that shrink or grow, and contents that lie. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../support/forest.h"
#include "chain.h"
#include "item_key.h"
#include "support.h"

enum { CAPACITY = 8 << 20 };

static struct test_segment s;
static struct writer *w;
static int dirfd;

static void begin(void)
{
    struct lanes_options o = small_lanes();
    own_directory_make();
    cr_assert_eq(segment_begin(&s, CAPACITY, &o), 0);
    intern_numbered(&s, FOREST_SITES);
    w = open_lane(&s, "main");
    dirfd = own_directory_fd();
}
static void end(void)
{
    segment_end(&s);
    own_directory_remove();
}
TestSuite(snapshot, .init = begin, .fini = end);

static void some_calls(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        writer_enter(w, 1 + i % FOREST_SITES);
        writer_enter(w, 2);
        writer_exit(w, 2, 0);
        writer_exit(w, 1 + i % FOREST_SITES, 0);
    }
}

/* ---- files that change their size ---- */

static struct view view_of_file(void)
{
    struct view v;
    cr_assert_eq(open_as_reader(&v, &s.segment), 0);
    return v;
}

static void truncate_to(uint64_t bytes)
{
    int fd = openat(dirfd, s.segment.name, O_RDWR);
    cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
    close(fd);
}

Test(snapshot, a_file_that_grew_since_it_was_opened)
{
    struct view v = view_of_file();
    struct profile p;
    uint32_t pages = s.segment.header->pages_used;
    for (int i = 0; i < 20; i++) {
        w = open_lane(&s, "later");
        some_calls(100);
    }
    cr_assert_gt(s.segment.header->pages_used, pages + 80);
    cr_assert_eq(profile_of(&p, &v, PATIENT), 0);
    cr_expect(p.complete);
    cr_expect_eq(p.calls, 20 * 200);
    profile_free(&p);
    view_close(&v);
}

Test(snapshot, a_file_cut_to_nothing)
{
    struct view v = view_of_file();
    struct snapshot shot;
    truncate_to(0);
    cr_expect_eq(look(&shot, &v, PATIENT), -EIO);
    view_close(&v);
}

/* Whatever is left: an error or less than all, never a crash. */
Test(snapshot, a_file_cut_at_any_page)
{
    some_calls(2000);
    w = open_lane(&s, "another");
    some_calls(2000);
    struct view v = view_of_file();
    for (uint64_t bytes = s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE; bytes; bytes -= SEGMENT_PAGE) {
        struct snapshot shot;
        truncate_to(bytes);
        int r = look(&shot, &v, 0);
        if (r == 0)
            snapshot_free(&shot);
        cr_expect(r == 0 || r == -EIO || r == -EBADMSG, "%d", r);
    }
    view_close(&v);
}

/* The size says it is there and the memory does not: as when the file shrinks between fstat(2) and a load. */
Test(snapshot, memory_that_goes_away_is_an_error)
{
    some_calls(2000);
    struct view v = view_of_file();
    struct snapshot shot;
    int cut = v.fd;
    touch(dirfd, "long");
    v.fd = openat(dirfd, "long", O_RDWR);
    cr_assert_eq(ftruncate(v.fd, CAPACITY), 0);
    for (uint64_t pages = 12; pages--;) {
        truncate_to(pages * SEGMENT_PAGE);
        int r = look(&shot, &v, PATIENT);
        cr_expect_eq(r, -EIO, "%lu pages left: %d", pages, r);
    }
    close(cut);
    view_close(&v);
}

static void note_bus_error(int signal_number) { _exit(signal_number); }

Test(snapshot, the_callers_handler_is_back_afterwards)
{
    struct sigaction action = {.sa_handler = note_bus_error}, now;
    struct view v = view_of_file();
    struct snapshot shot;
    sigaction(SIGBUS, &action, NULL);
    cr_assert_eq(look(&shot, &v, PATIENT), 0);
    snapshot_free(&shot);
    sigaction(SIGBUS, NULL, &now);
    cr_expect(now.sa_handler == note_bus_error);
    view_close(&v);
}

/* ---- contents ---- */

static void *copy_of_segment(uint64_t *bytes)
{
    *bytes = s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE;
    void *copy = aligned_alloc(SEGMENT_PAGE, *bytes);
    return memcpy(copy, s.segment.base, *bytes);
}

static void read_all(const void *base, uint64_t bytes)
{
    struct view v;
    struct profile p;
    if (view_of_memory(&v, base, bytes) == 0 && profile_of(&p, &v, 0) == 0)
        profile_free(&p);
}

static void grow_forests(void)
{
    static struct oracle o;
    struct lanes_options few = small_lanes();
    oracle_init(&o, FOREST_SITES);
    for (uint64_t i = 0; i < 6; i++) {
        struct forest f;
        forest_plant(&f, w, &o, i);
        w->folder.node_limit = i % 2 ? few.limits.nodes : 20;
        forest_grow(&f, 600);
        if (i % 3)
            forest_fold(&f, forest_unfolded(&f));
        if (i % 2)
            lanes_close(s.lanes, w);
        w = open_lane(&s, "next");
        forest_free(&f);
    }
    oracle_free(&o);
}

/* Anything may be anywhere: nothing may be followed without a look. The sanitizers see what is. */
Test(snapshot, words_changed_at_random)
{
    enum { ROUNDS = 4000 };
    struct random r = random_seeded(1);
    uint64_t bytes;
    grow_forests();
    char *good = copy_of_segment(&bytes), *bad = copy_of_segment(&bytes);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bad, good, bytes);
        for (uint32_t n = 1 + random_below(&r, 8); n; n--) {
            uint64_t at = random_chance(&r, 30) ? random_below(&r, SEGMENT_PAGE / 8) : random_below(&r, (uint32_t)(bytes / 8));
            uint64_t value = random_next(&r) >> random_below(&r, 64);
            if (random_chance(&r, 50)) /* a word from elsewhere: more likely to be believed */
                memcpy(&value, good + 8 * random_below(&r, (uint32_t)(bytes / 8)), 8);
            memcpy(bad + 8 * at, &value, 8);
        }
        read_all(bad, bytes);
    }
    free(bad);
    free(good);
}

static atomic_bool scribbling;
static void *scribble(void *p)
{
    _Atomic uint64_t *words = p;
    uint64_t count = s.segment.header->pages_used * (uint64_t)SEGMENT_PAGE / 8;
    struct random r = random_seeded(9);
    while (scribbling) {
        uint64_t i = random_below(&r, (uint32_t)count), other = random_below(&r, (uint32_t)count), was = words[i];
        if (i < sizeof(struct segment_header) / 8)
            continue;
        atomic_store_explicit(&words[i], random_chance(&r, 50) ? atomic_load(&words[other]) : random_next(&r) >> random_below(&r, 64),
                              memory_order_relaxed);
        for (uint32_t n = random_below(&r, 3000); n; n--)
            __asm__ volatile("");
        atomic_store_explicit(&words[i], was, memory_order_relaxed);
    }
    return NULL;
}

/* What was checked may be something else when it is used, unless it is used from the copy that was checked. */
Test(snapshot, words_that_change_while_they_are_read)
{
    pthread_t thread;
    uint64_t bytes;
    grow_forests();
    char *copy = copy_of_segment(&bytes);
    scribbling = true;
    pthread_create(&thread, NULL, scribble, copy);
    for (int round = 0; round < 3000; round++)
        read_all(copy, bytes);
    scribbling = false;
    pthread_join(thread, NULL);
    free(copy);
}

/* Keys decide which item is found: one that claims another's must not be taken for it. */
Test(snapshot, items_with_the_keys_of_others_are_refused)
{
    uint64_t bytes;
    struct view v;
    struct snapshot shot;
    some_calls(20);
    writer_enter_keyed(w, 3, 64);
    writer_suspend(w, 3);
    writer_flush(w);
    char *copy = copy_of_segment(&bytes);
    struct lane *lane = (struct lane *)(copy + ((char *)w->lane - (char *)s.segment.base));
    struct node *node = (struct node *)(copy + (size_t)lane_side(lane)->chain[PAGE_NODE] * SEGMENT_PAGE + PAGE_ITEMS_OFFSET);
    struct suspended *waiting = (struct suspended *)(copy + (size_t)lane_side(lane)->chain[PAGE_SUSPENDED] * SEGMENT_PAGE + PAGE_ITEMS_OFFSET);
    struct bucket_block *block = (struct bucket_block *)(copy + (size_t)lane_side(lane)->chain[PAGE_HISTOGRAM] * SEGMENT_PAGE + PAGE_ITEMS_OFFSET);
    _Atomic uint64_t *keys[] = {&node[1].item.key, &waiting->item.key, &block->item.key};
    cr_assert_eq(view_of_memory(&v, copy, bytes), 0);
    for (size_t i = 0; i < 3; i++)
        for (size_t other = 0; other < 3; other++) {
            uint64_t key = *keys[i];
            *keys[i] = *keys[other];
            cr_assert_eq(look(&shot, &v, 0), 0);
            cr_expect_eq(shot.complete, i == other, "item %zu with the key of %zu", i, other);
            snapshot_free(&shot);
            *keys[i] = key;
        }
    free(copy);
}

/* So there is no circle: not even over two pages, where the parent's is looked at later. */
Test(snapshot, a_parent_that_comes_after_its_child_is_refused)
{
    uint64_t bytes;
    struct view v;
    struct snapshot shot;
    for (uint32_t depth = 0; depth < 40; depth++)
        writer_enter(w, 1 + depth % FOREST_SITES);
    writer_cut_now(w);
    char *copy = copy_of_segment(&bytes);
    struct lane *lane = (struct lane *)(copy + ((char *)w->lane - (char *)s.segment.base));
    struct page_header *first = segment_page_at(copy, lane_side(lane)->chain[PAGE_NODE]), *second = chain_next(copy, first);
    struct node *child = page_item(first, 5, sizeof *child), *parent = page_item(second, 0, sizeof *parent);
    cr_assert_eq(view_of_memory(&v, copy, bytes), 0);
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_expect(shot.complete);
    snapshot_free(&shot);
    child->parent = segment_ref_of(copy, parent);
    child->item.key = key_of_node(child);
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_expect_not(shot.complete);
    snapshot_free(&shot);
    free(copy);
}

/* Only a word of 0 is no call: one with flags and no node would be found by whatever key it claims. */
Test(snapshot, a_waiting_call_without_a_node_that_says_it_has_one_is_refused)
{
    uint64_t bytes;
    struct view v;
    struct snapshot shot;
    writer_enter_keyed(w, 1, 64);
    writer_suspend(w, 1);
    writer_flush(w);
    char *copy = copy_of_segment(&bytes);
    struct lane *lane = (struct lane *)(copy + ((char *)w->lane - (char *)s.segment.base));
    struct page_header *page = segment_page_at(copy, lane_side(lane)->chain[PAGE_SUSPENDED]);
    struct suspended *waiting = page_item(page, 0, sizeof *waiting);
    cr_assert_eq(view_of_memory(&v, copy, bytes), 0);
    waiting->node = (uint64_t)ENTRY_FOREIGN << 32;
    waiting->item.key = key_node(lane_side(lane)->root, 2);
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_expect_not(shot.complete);
    snapshot_free(&shot);
    free(copy);
}

/* ---- when open calls end ---- */

static uint64_t asof_with(bool alive)
{
    struct view v = view_of_file();
    struct snapshot shot;
    cr_assert_eq(snapshot_take(&shot, &v, &(struct snapshot_options){.alive = alive, .patience = PATIENT}), 0);
    uint64_t asof = shot.asof;
    snapshot_free(&shot);
    view_close(&v);
    return asof;
}

Test(snapshot, open_calls_end_now_or_with_the_last_record_or_when_recording_stopped)
{
    struct segment_header *h = s.segment.header;
    writer_enter(w, 1);
    uint64_t last = w->last;
    cr_expect_eq(asof_with(true), last, "nobody records");
    h->session_flags = SESSION_RUNNING;
    cr_expect_gt(asof_with(true), last);
    cr_expect_leq(asof_with(true), clock_ticks());
    cr_expect_eq(asof_with(false), last, "dead in the middle of it");
    h->session_flags = 0;
    h->consumers = 1;
    cr_expect_gt(asof_with(true), last, "a collector wants records");
    h->consumers = 0;
    h->session_stopped = last + 12345;
    cr_expect_eq(asof_with(true), last + 12345);
    cr_expect_eq(asof_with(false), last + 12345);
    h->session_stopped = last - 1;
    cr_expect_eq(asof_with(true), last);
}

Test(snapshot, what_follows_the_last_record_is_not_cpu_time)
{
    struct view v = view_of_file();
    struct snapshot shot;
    struct profile p;
    writer_enter(w, 1);
    uint64_t last = w->last;
    s.segment.header->session_stopped = last + 1000;
    cr_assert_eq(look(&shot, &v, 0), 0);
    cr_assert_eq(profile_make(&p, &shot), 0);
    cr_expect_eq(profile_site(&p, 1)->t.inclusive, 1000);
    cr_expect_eq(profile_site(&p, 1)->t.off_inclusive, 1000);
    profile_free(&p);
    snapshot_free(&shot);
    view_close(&v);
}

/* ---- CPU time of open calls ---- */

static struct cputime_reading clock_then;

/* Half of what has passed since the lane began, which was off the CPU for the other half. */
static bool half(void *context, uint32_t tid, uint64_t *cpu)
{
    uint64_t passed = clock_ns(CLOCK_MONOTONIC) - clock_then.monotonic;
    *cpu = clock_then.cpu + passed / 2;
    return context == &clock_then && tid == w->lane->tid;
}

static bool fails(void *context, uint32_t tid, uint64_t *cpu)
{
    *cpu = UINT64_MAX;
    return context && tid == 0;
}

static bool goes_back(void *context, uint32_t tid, uint64_t *cpu)
{
    *cpu = clock_then.cpu - 1;
    return context && tid;
}

struct stretch {
    struct profile_times outer, inner;
};

/* Of outer -> inner, both open. */
static struct stretch open_calls(bool alive, snapshot_ask_cpu *ask)
{
    struct view v = view_of_file();
    struct snapshot shot;
    struct profile p;
    struct snapshot_options o = {.alive = alive, .ask_cpu = ask, .context = &clock_then, .patience = PATIENT};
    cr_assert_eq(snapshot_take(&shot, &v, &o), 0);
    cr_assert_eq(profile_make(&p, &shot), 0);
    struct stretch x = {profile_site(&p, 1)->t, profile_site(&p, 2)->t};
    profile_free(&p);
    snapshot_free(&shot);
    view_close(&v);
    return x;
}

static void open_two(void)
{
    s.segment.header->session_flags = SESSION_RUNNING;
    clock_then = w->cpu.base;
    writer_enter(w, 1);
    writer_enter(w, 2);
}

Test(snapshot, an_open_call_has_the_cpu_time_that_its_threads_clock_says)
{
    open_two();
    struct timespec t = {.tv_nsec = 20000000};
    nanosleep(&t, NULL);
    uint64_t least = (clock_ticks() - clock_then.ticks) / 2, handed_out = w->lane->cpu_off;
    struct stretch x = open_calls(true, half);
    uint64_t most = (clock_ticks() - clock_then.ticks) / 2, off = x.inner.off_exclusive + handed_out;
    cr_expect_eq(x.inner.unknown_inclusive, 0);
    cr_expect_leq(x.inner.off_exclusive, x.inner.inclusive);
    cr_expect(off >= least / 100 * 99 || x.inner.off_exclusive == x.inner.inclusive, "%lu of at least %lu", off, least);
    cr_expect(off <= most / 100 * 101 || x.inner.off_exclusive == 0, "%lu of at most %lu", off, most);
}

static void expect_unknown(struct stretch x)
{
    cr_expect_gt(x.inner.unknown_exclusive, 0);
    cr_expect_eq(x.inner.unknown_exclusive, x.inner.inclusive, "all of it");
    cr_expect_eq(x.inner.unknown_inclusive, x.inner.inclusive);
    cr_expect_eq(x.inner.off_inclusive, x.inner.inclusive, "it does not count as CPU time");
    cr_expect_eq(x.outer.unknown_inclusive, x.inner.inclusive);
    cr_expect_eq(x.outer.unknown_exclusive, 0);
}

Test(snapshot, cpu_time_that_nobody_can_tell_is_unknown)
{
    open_two();
    expect_unknown(open_calls(true, NULL));
    expect_unknown(open_calls(true, fails));
    expect_unknown(open_calls(true, goes_back));
    w->lane->cpu_base = 0;
    expect_unknown(open_calls(true, half));
    w->lane->cpu_base = UINT64_MAX;
    expect_unknown(open_calls(true, half));
    s.segment.header->session_flags = 0;
    s.segment.header->session_stopped = w->last + 1000;
    expect_unknown(open_calls(true, half));
    w->lane->stopped = w->last + 500;
    expect_unknown(open_calls(false, NULL));
}

Test(snapshot, after_a_stop_an_open_call_has_the_cpu_time_until_then)
{
    open_two();
    s.segment.header->session_flags = 0;
    s.segment.header->session_stopped = w->last + 1000;
    uint64_t before = w->lane->cpu_off;
    for (uint64_t off = 0; off <= 2000; off += 500) {
        w->lane->cpu_stop = 1 + before + off;
        w->lane->stopped = w->last + 1000;
        struct stretch x = open_calls(off % 1000, half);
        cr_expect_eq(x.inner.inclusive, 1000);
        cr_expect_eq(x.inner.off_inclusive, off < 1000 ? off : 1000);
        cr_expect_eq(x.inner.unknown_inclusive, 0);
        s.segment.header->session_flags = SESSION_RUNNING; /* again: its thread has not been heard of */
    }
}

/* ---- the session ---- */

static struct session_state session_now(void)
{
    struct view v = view_of_file();
    struct snapshot shot;
    cr_assert_eq(look(&shot, &v, PATIENT), 0);
    struct session_state state = shot.session;
    snapshot_free(&shot);
    view_close(&v);
    return state;
}

Test(snapshot, the_session_is_read_together)
{
    struct segment_header *h = s.segment.header;
    h->session_flags = SESSION_RUNNING;
    h->session_started = 5;
    h->session_stopped = 0;
    h->resets = 3;
    struct session_state state = session_now();
    cr_expect(state.running && state.started == 5 && state.stopped == 0 && state.resets == 3);
    h->session_seq = 1; /* died while it changed: what there is, and no waiting for ever */
    cr_expect_eq(session_now().started, 5);
}

/* ---- strings ---- */

static const char *string_of(const struct snapshot *shot, uint32_t ref)
{
    static char *text;
    free(text);
    return text = snapshot_text(shot, ref);
}

Test(snapshot, strings_are_as_they_were_written_or_empty)
{
    struct view v = view_of_file();
    struct snapshot shot;
    struct site site = {.name = "a\033[31m\n\x07z", .qualname = "\xff\xc3", .file = "\xc3\xa9.py"};
    uint32_t number = sites_intern(s.sites, &site);
    cr_assert_eq(look(&shot, &v, PATIENT), 0);
    cr_expect_str_eq(string_of(&shot, shot.site[number].name), site.name);
    cr_expect_str_eq(string_of(&shot, shot.site[number].qualname), site.qualname);
    cr_expect_str_eq(string_of(&shot, shot.site[number].module), "");
    cr_expect_str_eq(string_of(&shot, shot.site[number].file), "\xc3\xa9.py");
    cr_expect_str_eq(string_of(&shot, 8), "", "the header is no string page");
    cr_expect_str_eq(string_of(&shot, UINT32_MAX), "");
    for (uint32_t ref = 0; ref < shot.pages * (SEGMENT_PAGE / 8); ref++)
        cr_expect_leq(strlen(string_of(&shot, ref)), SITE_STRING_MAX);
    snapshot_free(&shot);
    view_close(&v);
}

/* ---- variants ---- */

/* What is no variant of anything that was there before is none at all. */
Test(snapshot, what_a_variant_is_of_is_checked)
{
    struct site site = {.name = "f", .qualname = "f"};
    uint32_t function = sites_intern(s.sites, &site), variant = sites_add_variant(s.sites, function), other = sites_add_variant(s.sites, function);
    const uint32_t wrong[] = {other, other + 1, variant, UINT32_MAX, 1u << 24};
    struct page_header *page = segment_page_at(s.segment.base, s.segment.header->site_first);
    struct site_record *record = page_item(page, other - 1, sizeof *record);
    struct view v = view_of_file();
    for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        struct snapshot shot;
        cr_assert_eq(look(&shot, &v, PATIENT), 0);
        cr_expect_eq(snapshot_function(&shot, variant), function);
        cr_expect_eq(snapshot_function(&shot, other), i ? other : function, "%zu", i);
        cr_expect_eq(snapshot_function(&shot, function), function);
        cr_expect_eq(snapshot_function(&shot, UINT32_MAX), UINT32_MAX);
        snapshot_free(&shot);
        record->variant_of = i < sizeof wrong / sizeof *wrong ? wrong[i] : 0;
    }
    view_close(&v);
}

/* ---- a writer that does not come to rest ---- */

Test(snapshot, patience_is_limited_and_says_so)
{
    uint64_t bytes;
    struct view v;
    struct snapshot shot;
    some_calls(10);
    char *copy = copy_of_segment(&bytes);
    struct lane *lane = (struct lane *)(copy + ((char *)w->lane - (char *)s.segment.base));
    lane->head += SEGMENT_MIN_RING_SLOTS + 1; /* forever overtaken */
    cr_assert_eq(view_of_memory(&v, copy, bytes), 0);
    cr_assert_eq(look(&shot, &v, 1000000), 0);
    cr_expect_not(shot.complete);
    cr_expect_not(shot.lane[0].complete);
    cr_expect_gt(shot.retries, 0);
    snapshot_free(&shot);
    free(copy);
}
