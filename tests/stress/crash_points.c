/* A writer stopped anywhere is readable and exact: "anywhere" is after every single instruction.
 *
 * A child writes: scripted records with synthetic ticks (random forests: recursion, generators, blocks that interleave, time
 * off the CPU), and real ones. Its parent steps it with ptrace(2), instruction by instruction, through windows in which it
 * pushes, folds, adds pages, cuts, resets, ends its thread, merges ended threads, and changes who listens and compacts. Between two instructions the child is
 * as good as dead. After each one that changed what a reader can see, a snapshot must succeed at the first look, be
 * complete, and agree with the oracle (oracle.h) about exactly the records that the rings' heads tell of: every site's and
 * pair's calls, times, extremes and quantiles; and so must what one consumer sees, with another oracle. In the end the child is killed in the middle of a merge and its file read.
 *
 * One round takes some twenty seconds; TSCAP_SECONDS asks for more of them, each from another seed. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/forest.h"
#include "roster.h"

#ifdef __SANITIZE_THREAD__
#define SKIP "stepping through TSan's own code proves nothing"
#else
#define SKIP ""
#endif

enum {
    LIVES = 8,          /* threads one after the other */
    LOG = 1 << 16,      /* records */
    SCRIPT_EVENTS = 900,
    WINDOW_RECORDS = 40,
    UNFOLDED = 64,      /* records that the script leaves in the ring ... */
    FOLDED = 45,        /* ... before it folds so many */
    LONG_WINDOW = 150000, /* instructions */
    SHORT_WINDOW = 20000,
    FAILURES_SHOWN = 5,
};

/* ---- shared by parent and child: what was written, and where ---- */

struct life {
    uint32_t lane, ring;  /* pages */
    uint64_t first;       /* head when it began */
    uint64_t base;        /* place in the log of record `first` */
    _Atomic uint64_t logged; /* records below are in the log, later ones in the ring */
};

struct stage {
    _Atomic uint32_t lives;
    struct life life[LIVES];
    struct {
        uint64_t when, what;
    } log[LOG];
    _Atomic uint32_t seer;    /* the consumer whose view is compared, too */
    _Atomic bool forgetful;   /* what nobody sees has gone: until the reset, only that view is */
    const char *_Atomic window; /* NULL: the child runs freely */
    _Atomic uint32_t most_steps;
};

static struct stage *stage;
static struct test_segment segment;
static struct forest_script script;
static uint64_t seed;

/* ---- the child ---- */

static void window(const char *name, uint32_t most_steps)
{
    stage->most_steps = most_steps;
    stage->window = name;
    raise(SIGSTOP);
}
static void window_ends(void) { window(NULL, 0); }

static void log_records(struct writer *w)
{
    struct life *l = &stage->life[stage->lives - 1];
    for (uint64_t i = l->logged; i < w->head; i++) {
        uint64_t place = l->base + i - l->first;
        stage->log[place].when = w->ring[i & w->mask].when;
        stage->log[place].what = w->ring[i & w->mask].what;
    }
    l->logged = w->head;
}

static uint32_t page_of(const void *p) { return (uint32_t)(((const char *)p - (const char *)segment.segment.base) / SEGMENT_PAGE); }

static struct writer *begin_life(const char *name)
{
    uint32_t n = stage->lives;
    struct life *l = &stage->life[n];
    if (name)
        window(name, LONG_WINDOW);
    struct writer *w = lanes_open(segment.lanes, "stepped");
    if (!w)
        _exit(1);
    l->lane = page_of(w->lane);
    l->ring = page_of(w->ring);
    l->first = l->logged = w->head;
    l->base = n ? stage->life[n - 1].base + stage->life[n - 1].logged - stage->life[n - 1].first : 0;
    stage->lives = n + 1;
    window_ends();
    return w;
}

static void end_life(struct writer *w, const char *name)
{
    if (name)
        window(name, SHORT_WINDOW);
    lanes_close(segment.lanes, w);
    window_ends();
    log_records(w);
}

static void fold_now_and_then(struct writer *w)
{
    if (w->head - w->folder.tail >= UNFOLDED)
        folder_run(&w->folder, w->ring, w->mask, FOLDED);
}

/* The script's clock begins at 0: here is when it is played. What follows in real time waits until it is over. */
static uint64_t script_began;

static void script_begins(void) { script_began = clock_ticks(); }

static void wait_for_script(const struct writer *w)
{
    while (clock_ticks() < w->last)
        ;
}

/* Does the record carry the key that the one before it is? Nothing may come between them, and no writer rests there. */
static bool is_parted(uint32_t from)
{
    return from && from < script.records && record_kind(script.record[from - 1].what) == RECORD_KEY;
}

/* Records [from, to) of the script, the record of a key that is the last of them, and the rest of a stop that begins there. */
static uint32_t play(struct writer *w, uint32_t from, uint32_t to)
{
    while (from < to || is_parted(from)) {
        uint64_t when = script.record[from].when, what = script.record[from].what;
        if (record_kind(what) != RECORD_KEY)
            w->last = when += script_began;
        if (record_kind(what) == RECORD_NONE) {
            writer_cut(w, when);
            while (from < script.records && record_kind(script.record[from].what) == RECORD_NONE)
                from++;
        } else {
            writer_store(w, when, what);
            from++;
        }
        fold_now_and_then(w);
        log_records(w);
    }
    return from;
}

static void play_with_windows(struct writer *w, struct random *r, const char *name, uint32_t windows)
{
    uint32_t at = 0, every = script.records / windows;
    script_begins();
    for (uint32_t i = 0; i < windows; i++) {
        uint32_t begin = i * every + random_below(r, every / 2);
        at = play(w, at, begin);
        window(name, SHORT_WINDOW);
        at = play(w, at, at + WINDOW_RECORDS < script.records ? at + WINDOW_RECORDS : script.records);
        window_ends();
    }
    play(w, at, script.records);
    wait_for_script(w);
}

/* Of all that the recorder does. Leaves the stack as it was. */
static void real_calls(struct writer *w, uint32_t i)
{
    writer_enter(w, 1 + i % FOREST_SITES);
    writer_enter(w, 2);
    writer_exit(w, 2, i % 3 ? 0 : RECORD_RAISED);
    if (i % 4 == 0)
        writer_enter_keyed(w, 3, 0x10000 + 8 * (i / 4 % 8));
    else
        writer_resume(w, 3, 0x10000 + 8 * (i / 4 % 8));
    writer_suspend(w, 3);
    writer_enter(w, 4);
    writer_exit_below(w, 1 + i % FOREST_SITES, w->depth - 1, 0);
    writer_exit(w, 4, 0);
    writer_drop(w);
    log_records(w);
}

static void real_calls_until_folded(struct writer *w)
{
    uint32_t i = 0;
    while (w->head + 8 < w->fold_at)
        real_calls(w, i++);
    window("the recorder folds", LONG_WINDOW);
    for (uint64_t tail = w->folder.tail; w->folder.tail == tail;)
        real_calls(w, i++);
    window_ends();
}

static void deep_recursion(struct writer *w)
{
    enum { DEPTH = 150 };
    for (uint32_t d = 1; d <= DEPTH; d++) {
        if (d % 62 == 40)
            window("the stack grows", SHORT_WINDOW);
        writer_enter(w, 1 + d % 3);
        writer_flush(w);
        log_records(w);
        if (d % 62 == 3)
            window_ends();
    }
    window("calls are cut", SHORT_WINDOW);
    writer_cut(w, clock_ticks());
    window_ends();
    log_records(w);
}

static void reset(struct writer *w)
{
    window("a reset", SHORT_WINDOW);
    uint32_t resets = atomic_fetch_add(&segment.segment.header->resets, 1) + 1;
    writer_reset(w, resets);
    real_calls(w, 0);
    window_ends();
}

/* ---- consumers: A alone is audience 1, A and B 2, A, B and C 3; B is the one whose view is compared ---- */

enum { AUDIENCE_A = 1, AUDIENCE_AB, AUDIENCE_ABC };

static void compact_all(void *context, const uint8_t audience[SEGMENT_AUDIENCES], bool all, bool used[SEGMENT_AUDIENCES])
{
    (void)context;
    lanes_compact(segment.lanes, audience, all, used);
}

static void hear(struct writer *w, uint32_t audience)
{
    w->audience = audience;
    writer_store(w, w->last, record_pack(audience, 0, RECORD_AUDIENCE, 0));
    log_records(w);
}

static uint32_t begin_consumer(struct roster *c, const char *name)
{
    uint32_t number = roster_add(c, CONSUMER_PROFILER, name, &(struct roster_selection){.all = true});
    if (roster_begin(c, number, 0, clock_ticks()) < 0)
        _exit(1);
    return number;
}

/* All that there is on to the other side, but for what nobody sees. */
static void compact_one(struct writer *w)
{
    uint8_t same[SEGMENT_AUDIENCES];
    for (unsigned i = 0; i < SEGMENT_AUDIENCES; i++)
        same[i] = (uint8_t)i;
    writer_flush(w);
    hear(w, w->audience);
    folder_compact(&w->folder, same);
}

/* One consumer's calls become another's. */
static void compact_lanes(void)
{
    uint8_t audience[SEGMENT_AUDIENCES] = {0, AUDIENCE_A, AUDIENCE_AB, AUDIENCE_AB};
    bool used[SEGMENT_AUDIENCES];
    lanes_compact(segment.lanes, audience, true, used);
}

/* Plays the script, and other records in the order in which the writer has them. */
static void consumers_come_and_go(struct writer *w, struct roster *c, uint32_t at)
{
    uint32_t part = (script.records - at) / 6;
    at = play(w, at, at + part);
    window("a consumer begins", SHORT_WINDOW);
    stage->seer = begin_consumer(c, "B");
    window_ends();
    hear(w, AUDIENCE_AB);
    at = play(w, at, at + part);
    uint32_t other = begin_consumer(c, "C");
    hear(w, AUDIENCE_ABC);
    at = play(w, at, at + part);
    window("a consumer goes", LONG_WINDOW);
    roster_remove(c, other, clock_ticks());
    window_ends();
    window("lanes are compacted", LONG_WINDOW);
    compact_lanes();
    window_ends();
    log_records(w);
    hear(w, AUDIENCE_AB);
    window("records are folded on the other side", SHORT_WINDOW);
    at = play(w, at, at + WINDOW_RECORDS);
    window_ends();
    window("and back", LONG_WINDOW);
    compact_one(w);
    window_ends();
    hear(w, 0);
    at = play(w, at, at + part);
    stage->forgetful = true;
    window("what nobody sees goes", LONG_WINDOW);
    compact_one(w);
    window_ends();
    window("consumers end", LONG_WINDOW);
    roster_end(c, 1, clock_ticks());
    roster_end(c, stage->seer, clock_ticks());
    window_ends();
    play(w, at, script.records);
    roster_delete(c);
}

static _Noreturn void child(void)
{
    struct random r = random_seeded(seed);
    struct writer *w = begin_life("the first lane is made");
    struct roster *c = roster_new(&segment.segment, compact_all, NULL);
    if (!c)
        _exit(1);
    begin_consumer(c, "A");
    hear(w, AUDIENCE_A);
    script_begins();
    window("the first records", SHORT_WINDOW);
    uint32_t first = play(w, 0, WINDOW_RECORDS);
    folder_run(&w->folder, w->ring, w->mask, w->head - w->folder.tail);
    window_ends();
    consumers_come_and_go(w, c, first);
    wait_for_script(w);
    end_life(w, NULL);
    w = begin_life("a merge");
    reset(w);
    play_with_windows(w, &r, "records are written and folded", 6);
    real_calls_until_folded(w);
    writer_enter(w, 1);
    writer_enter(w, 2);
    log_records(w);
    end_life(w, "the thread ends");
    w = begin_life("another thread's merge");
    script_begins();
    play(w, 0, script.records / 2);
    writer_cut(w, w->last);
    log_records(w);
    wait_for_script(w);
    deep_recursion(w);
    end_life(w, NULL);
    begin_life("the last merge"); /* the parent kills in the middle of it */
    _exit(0);
}

/* ---- what must be there ---- */

static struct {
    struct oracle o, seer;
    struct oracle_thread t[LIVES], seen_by[LIVES]; /* the seer's */
    uint64_t next[LIVES]; /* record that the oracles have not seen */
    uint32_t lives, resets;
} seen;

static struct view view;

static const struct segment_header *header(void) { return view.base; }
static const void *page(uint32_t number) { return (const char *)view.base + (size_t)number * SEGMENT_PAGE; }
static const struct lane *lane_of(uint32_t life) { return page(stage->life[life].lane); }

static void oracles_hear(uint32_t life, uint64_t when, uint64_t what)
{
    oracle_record(&seen.o, &seen.t[life], when, what);
    if (record_kind(what) == RECORD_AUDIENCE)
        seen.seer.away = record_site(what) != AUDIENCE_AB && record_site(what) != AUDIENCE_ABC;
    oracle_record(&seen.seer, &seen.seen_by[life], when, what);
}

static void oracle_sees(uint32_t life)
{
    const struct life *l = &stage->life[life];
    const struct slot *ring = page(l->ring);
    uint64_t logged = l->logged, end = life + 1 == stage->lives ? lane_of(life)->head : logged;
    for (uint64_t i = seen.next[life]; i < end; i++) {
        const struct slot *slot = &ring[i % SEGMENT_MIN_RING_SLOTS];
        uint64_t place = l->base + i - l->first;
        if (i < logged)
            oracles_hear(life, stage->log[place].when, stage->log[place].what);
        else
            oracles_hear(life, slot->when, slot->what);
    }
    seen.next[life] = end;
}

static void oracle_forgets(void)
{
    oracle_clear(&seen.o);
    oracle_clear(&seen.seer);
    for (uint32_t i = 0; i < LIVES; i++) {
        oracle_thread_free(&seen.t[i]);
        oracle_thread_free(&seen.seen_by[i]);
    }
    seen.resets = header()->resets;
}

static void catch_up(void)
{
    for (; seen.lives < stage->lives; seen.lives++)
        seen.next[seen.lives] = stage->life[seen.lives].first;
    for (uint32_t i = 0; i < seen.lives; i++)
        oracle_sees(i);
    if (header()->resets != seen.resets)
        oracle_forgets();
}

static uint64_t heard_of(uint32_t life)
{
    const struct lane *l = lane_of(life);
    uint64_t last = seen.t[life].last;
    return l->ended ? l->ended : last > l->began ? last : l->began;
}

/* Of all lives until now. */
static struct oracle expected(const struct oracle *of, const struct oracle_thread *by)
{
    struct oracle o = oracle_copy(of);
    uint32_t merged = header()->merges;
    uint64_t asof = 0;
    for (uint32_t i = merged; i < seen.lives; i++)
        asof = heard_of(i) > asof ? heard_of(i) : asof;
    for (uint32_t i = 0; i < seen.lives; i++) {
        struct oracle_thread t = oracle_thread_copy(&by[i]);
        oracle_close(&o, &t, asof);
        oracle_thread_free(&t);
    }
    return o;
}

/* ---- looking ---- */

static unsigned long steps, looks, failures;

/* Per kind of window; child and parent share their names' addresses. */
static struct {
    const char *name;
    unsigned long steps, looks;
} tally[32];

static void count_window(const char *name, unsigned long more_steps, unsigned long more_looks)
{
    size_t i = 0;
    while (i < sizeof tally / sizeof *tally - 1 && tally[i].name && strcmp(tally[i].name, name) != 0)
        i++;
    tally[i].name = name;
    tally[i].steps += more_steps;
    tally[i].looks += more_looks;
}

static void fail(const char *what)
{
    if (failures++ < FAILURES_SHOWN)
        fprintf(stderr, "crash_points: seed %lu, %s, after %lu instructions: %s\n", (unsigned long)seed,
                stage->window ? stage->window : "between windows", steps, what);
}

static void compare_whole(const struct snapshot *s)
{
    struct profile p;
    struct oracle_why why;
    if (profile_make(&p, s) < 0)
        return;
    struct oracle o = expected(&seen.o, seen.t);
    if (!oracle_check(&why, &o, &p))
        fail(why.text);
    oracle_copy_free(&o);
    profile_free(&p);
}

/* Where there is no room for paths, only what is known of a call by itself. */
static void compare_seer(const struct snapshot *s)
{
    struct profile p;
    struct oracle_why why;
    if (profile_make_view(&p, s, stage->seer) < 0) {
        fail("the consumer is not there");
        return;
    }
    struct oracle o = expected(&seen.seer, seen.seen_by);
    bool same = p.unpathed || p.unplaced ? oracle_check_calls(&why, &o, &p) : oracle_check_view(&why, &o, &p);
    if (!same)
        fail(why.text);
    oracle_copy_free(&o);
    profile_free(&p);
}

static void compare(const struct view *v)
{
    struct snapshot s;
    int r = look(&s, v, 0);
    if (r < 0) {
        fail(strerror(-r));
        return;
    }
    if (!s.complete || s.retries)
        fail(s.complete ? "not at the first look" : "not complete");
    if (!stage->forgetful || header()->resets)
        compare_whole(&s);
    if (stage->seer)
        compare_seer(&s);
    snapshot_free(&s);
}

static void check_now(void)
{
    looks++;
    catch_up();
    compare(&view);
}

/* ---- has anything changed that a reader can see? Rings beyond head and logs beyond their count are not. ---- */

static char *shadow;

static bool is_state(uint32_t number)
{
    uint32_t kind = ((const struct page_header *)page(number))->kind;
    return number == 0 || kind == PAGE_LANE || kind == PAGE_CONSUMER || (kind >= PAGE_NODE && kind <= PAGE_SUSPENDED);
}

static uint32_t pages_there(void)
{
    struct stat s;
    return fstat(view.fd, &s) == 0 ? (uint32_t)((uint64_t)s.st_size / SEGMENT_PAGE) : 0;
}

static bool changed(void)
{
    bool any = false;
    for (uint32_t i = 0, pages = pages_there(); i < pages; i++) {
        char *before = shadow + (size_t)i * SEGMENT_PAGE;
        if (!is_state(i) || memcmp(before, page(i), SEGMENT_PAGE) == 0)
            continue;
        memcpy(before, page(i), SEGMENT_PAGE);
        any = true;
    }
    return any;
}

/* ---- stepping ---- */

/* The child's next stop. False: it has ended. */
static bool move(pid_t pid, int request, int *status)
{
    return ptrace(request, pid, NULL, NULL) == 0 && waitpid(pid, status, 0) == pid && WIFSTOPPED(*status);
}

/* At most `most` instructions, to the window's end or not. */
static bool step_through(pid_t pid, uint32_t most, int *status)
{
    for (uint32_t i = 0; i < most; i++) {
        if (!move(pid, PTRACE_SINGLESTEP, status))
            return false;
        if (WSTOPSIG(*status) == SIGSTOP)
            return true;
        steps++;
        if (changed())
            check_now();
    }
    return true;
}

static bool merging(void)
{
    uint32_t grave = header()->graveyard;
    return grave && ((const struct lane *)page(grave))->merging;
}

static void kill_in_mid_merge(pid_t pid)
{
    int status;
    while (!merging() && move(pid, PTRACE_SINGLESTEP, &status))
        ;
    struct random r = random_seeded(seed);
    for (uint32_t i = random_below(&r, 5000); i && merging(); i--)
        move(pid, PTRACE_SINGLESTEP, &status);
    if (!merging())
        fail("there was no merge to die in");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    struct view v;
    looks++;
    catch_up();
    if (open_as_reader(&v, &segment.segment) != 0) {
        fail("the dead one's file cannot be opened");
        return;
    }
    compare(&v);
    view_close(&v);
}

static bool drive(pid_t pid)
{
    int status;
    bool lives = waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
    while (lives) {
        const char *name = stage->window;
        check_now();
        if (name && strcmp(name, "the last merge") == 0) {
            kill_in_mid_merge(pid);
            return true;
        }
        unsigned long steps_before = steps, looks_before = looks;
        lives = !name || step_through(pid, stage->most_steps, &status);
        if (name)
            count_window(name, steps - steps_before, looks - looks_before);
        if (lives && stage->window == name)
            lives = move(pid, PTRACE_CONT, &status);
    }
    fail("the child has ended by itself");
    return false;
}

/* ---- rounds ---- */

static void write_script(void)
{
    struct oracle o;
    struct forest f;
    script.records = 0;
    oracle_init(&o, FOREST_SITES);
    forest_plant(&f, NULL, &o, seed);
    f.script = &script;
    forest_grow(&f, SCRIPT_EVENTS);
    forest_cut(&f);
    forest_free(&f);
    oracle_free(&o);
}

static bool prepare(void)
{
    static const struct folder_limits limits[] = {{.nodes = 60, .depth = 512, .suspended = 64}, {.nodes = 16, .depth = 4, .suspended = 64}};
    struct lanes_options options = small_lanes();
    options.keep_exited = 0;
    options.limits = limits[seed % 2];
    options.cpu_mode = seed % 3 ? CPUTIME_WALL : CPUTIME_SYSCALL;
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED || segment_begin(&segment, 4u << 20, &options) < 0 || open_as_reader(&view, &segment.segment) < 0)
        return false;
    intern_numbered(&segment, FOREST_SITES);
    write_script();
    memset(&seen, 0, sizeof seen);
    oracle_init(&seen.o, FOREST_SITES);
    oracle_init(&seen.seer, FOREST_SITES);
    seen.seer.away = true;
    shadow = calloc(1, view.mapped);
    return shadow;
}

static void clean_up(void)
{
    oracle_forgets();
    oracle_free(&seen.o);
    oracle_free(&seen.seer);
    free(shadow);
    view_close(&view);
    segment_end(&segment);
    munmap(stage, sizeof *stage);
}

/* False: there is no stepping here. */
static bool play_round(void)
{
    if (!prepare())
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        child();
    }
    bool stepped = drive(pid) || steps > 0;
    clean_up();
    return stepped;
}

int main(void)
{
    const char *seconds = getenv("TSCAP_SECONDS");
    uint64_t begin = clock_ns(CLOCK_MONOTONIC), limit = (seconds ? strtoull(seconds, NULL, 10) : 3) * 1000000000u;
    if (*SKIP) {
        printf("crash_points: skipped: %s\n", SKIP);
        return 77;
    }
    do {
        seed++;
        if (!play_round()) {
            printf("crash_points: skipped: a child cannot be stepped here\n");
            return 77;
        }
    } while (failures == 0 && clock_ns(CLOCK_MONOTONIC) - begin < limit);
    for (size_t i = 0; i < sizeof tally / sizeof *tally && tally[i].name; i++)
        printf("  %-32s %8lu instructions %7lu snapshots\n", tally[i].name, tally[i].steps, tally[i].looks);
    printf("%lu rounds, %lu instructions, %lu snapshots, %lu wrong\n", (unsigned long)seed, steps, looks, failures);
    return failures ? 1 : 0;
}
