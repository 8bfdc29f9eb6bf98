/* Threads that record, end and begin again, are reset and merged, against readers of the same segment. Each thread repeats
 * one known script (script.h) and notes the head of its ring after each operation, so a reader knows from the head in a
 * snapshot how far the thread was. Each snapshot must be exact, path by path:
 *
 *   rows of live threads    the sums after that many operations
 *   rows of ended threads   the sums after the last; but one of them may be on its way to the merged ones
 *   merged + ended rows     the sum of all threads that have ended
 *
 * TSCAP_SECONDS says how long. One reader looks at the writers' own mapping, since a race detector knows addresses, not
 * files; the other opens the file. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../support/segments.h"
#include "script.h"

#define SLOTS 4u    /* threads at a time */
#define READERS 2u
#define LIVES 65536u /* threads one after the other in a slot */
#define NOTES (1u << 18)
#define KEEP_EXITED 3u
#define CAPACITY (64ull << 20)
#define PATIENCE_NS 20000000000ull
#define UNCERTAIN_MAX 12u
#define ROWS (2 * SLOTS + KEEP_EXITED + 2)

/* After an operation. Its record was in the ring from `head` on; `after` counts what the writer added as well. */
struct note {
    _Atomic uint64_t whose; /* life: 32 | resets: 32 */
    _Atomic uint64_t head, after, position;
};

struct final {
    uint64_t position;
    uint32_t resets;
};

struct slot_of_threads {
    uint32_t number;
    struct note *note; /* ring of NOTES */
    _Atomic uint64_t notes;
    _Atomic uint32_t opened, closed; /* lives; the current one is `opened` if that is not `closed` */
    _Atomic uint64_t looked_at[READERS]; /* notes from here on are needed; UINT64_MAX: none */
    struct final *final; /* [1 .. closed] */
};

struct reader {
    uint32_t number;
    struct view view;
    uint64_t from[SLOTS]; /* notes when the look began */
    uint32_t closed[SLOTS];
    uint32_t resets;
    struct script_sums *ended, *expected, *row; /* one for each path */
    uint64_t snapshots, totals, rows, partial, retries;
};

static struct script script;
static struct test_segment test;
static struct slot_of_threads slots[SLOTS];
static struct reader readers[READERS];
static _Atomic bool stop;
static _Atomic uint32_t epoch;
static _Atomic uint32_t failures;

static struct segment_header *header(void) { return test.segment.header; }

static void pause_us(long us) { nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL); }

#define fail(...)                                                                                                                          \
    do {                                                                                                                                   \
        if (atomic_fetch_add(&failures, 1) < 20)                                                                                           \
            fprintf(stderr, __VA_ARGS__);                                                                                                  \
    } while (0)

/* ---- threads that record ---- */

static uint64_t whose_of(uint32_t life, uint32_t resets) { return (uint64_t)life << 32 | resets; }

static void take_note(struct slot_of_threads *s, uint64_t whose, uint64_t head, uint64_t after, uint64_t position)
{
    uint64_t i = atomic_load_explicit(&s->notes, memory_order_relaxed);
    struct note *n = &s->note[i % NOTES];
    atomic_store_explicit(&n->whose, whose, memory_order_relaxed);
    atomic_store_explicit(&n->head, head, memory_order_relaxed);
    atomic_store_explicit(&n->after, after, memory_order_relaxed);
    atomic_store_explicit(&n->position, position, memory_order_relaxed);
    atomic_store_explicit(&s->notes, i + 1, memory_order_release);
}

/* Notes that a reader still needs must not be overwritten. */
static void wait_for_readers(const struct slot_of_threads *s)
{
    for (uint32_t r = 0; r < READERS; r++)
        for (;;) {
            uint64_t from = atomic_load_explicit(&s->looked_at[r], memory_order_acquire);
            if (from == UINT64_MAX || atomic_load_explicit(&s->notes, memory_order_relaxed) - from < NOTES / 2)
                break;
            pause_us(50);
        }
}

static uint32_t resets_of(const struct writer *w) { return atomic_load_explicit(&w->lane->resets, memory_order_relaxed); }

static bool reset_if_due(struct writer *w)
{
    uint32_t resets = atomic_load_explicit(&header()->resets, memory_order_relaxed);
    if (resets_of(w) == resets)
        return false;
    writer_reset(w, resets);
    return true;
}

/* As thread.c does it at a thread's next event. */
static bool catch_up(struct writer *w, uint32_t *seen)
{
    uint32_t now = atomic_load_explicit(&epoch, memory_order_acquire);
    if (now == *seen)
        return false;
    *seen = now;
    return reset_if_due(w);
}

/* Where the record of the operation just done lies: the writer's own may come after it. */
static uint64_t head_of_last(const struct writer *w, uint64_t before)
{
    uint64_t head = w->head;
    while (head > before) {
        unsigned kind = record_kind(atomic_load_explicit(&w->ring[(head - 1) & w->mask].what, memory_order_relaxed));
        if (kind != RECORD_OWN && kind != RECORD_OFF_CPU)
            break;
        head--;
    }
    return head;
}

static uint64_t live(struct slot_of_threads *s, struct writer *w, uint32_t life, uint64_t operations)
{
    uint32_t seen = atomic_load_explicit(&epoch, memory_order_acquire);
    uint64_t position = 0;
    reset_if_due(w);
    take_note(s, whose_of(life, resets_of(w)), w->head, w->head, 0);
    for (uint64_t i = 0; i < operations; i++) {
        if (catch_up(w, &seen)) {
            position = 0;
            take_note(s, whose_of(life, resets_of(w)), w->head, w->head, 0);
        }
        uint64_t before = w->head;
        script_do(&script, w, position);
        take_note(s, whose_of(life, resets_of(w)), head_of_last(w, before), w->head, ++position);
        if (i % 256 == 0) {
            wait_for_readers(s);
            if (atomic_load_explicit(&stop, memory_order_relaxed))
                break;
        }
        if (s->number % 2 && i % 4096 == 0) /* every other one rests now and then */
            pause_us(100);
    }
    return position;
}

struct life {
    struct slot_of_threads *slot;
    uint32_t number;
};

static void *thread_main(void *argument)
{
    struct life *l = argument;
    struct slot_of_threads *s = l->slot;
    struct random random = random_seeded(s->number * 7919u + l->number);
    uint64_t operations = random_chance(&random, 20) ? 300000 + random_below(&random, 300000) : random_below(&random, 20000);
    char name[64];
    snprintf(name, sizeof name, "%u %u", s->number, l->number);
    struct writer *w = lanes_open(test.lanes, name);
    if (!w) {
        fail("no lane for thread %s\n", name);
        return NULL;
    }
    uint64_t position = live(s, w, l->number, operations);
    s->final[l->number] = (struct final){.position = position, .resets = resets_of(w)};
    lanes_close(test.lanes, w);
    return l;
}

static void *slot_main(void *argument)
{
    struct slot_of_threads *s = argument;
    for (uint32_t life = 1; life < LIVES && !atomic_load(&stop) && !atomic_load(&failures); life++) {
        pthread_t thread;
        struct life this_life = {.slot = s, .number = life};
        void *result = NULL;
        atomic_store_explicit(&s->opened, life, memory_order_release);
        if (pthread_create(&thread, NULL, thread_main, &this_life) != 0)
            abort();
        pthread_join(thread, &result);
        if (!result)
            break;
        atomic_store_explicit(&s->closed, life, memory_order_release);
    }
    return NULL;
}

/* ---- where a thread was, by its head ---- */

static int compare_note(const struct note *n, uint64_t whose, uint64_t head)
{
    uint64_t w = atomic_load_explicit(&n->whose, memory_order_relaxed), h = atomic_load_explicit(&n->head, memory_order_relaxed);
    return w != whose ? (w < whose ? -1 : 1) : (h > head) - (h < head);
}

/* Until the thread has noted at least what the snapshot has, or ended. */
static uint64_t wait_for_note(const struct slot_of_threads *s, uint32_t life, uint64_t whose, uint64_t head)
{
    for (;;) {
        bool closed = atomic_load_explicit(&s->closed, memory_order_acquire) >= life;
        uint64_t notes = atomic_load_explicit(&s->notes, memory_order_acquire);
        const struct note *last = &s->note[(notes - 1) % NOTES];
        if (notes) {
            uint64_t w = atomic_load_explicit(&last->whose, memory_order_relaxed);
            if (w > whose || (w == whose && atomic_load_explicit(&last->after, memory_order_relaxed) >= head))
                return notes;
        }
        if (closed)
            return notes;
        pause_us(20);
    }
}

/* The position of the last note at or before `head`; UINT64_MAX: none. */
static uint64_t position_at(const struct reader *r, const struct slot_of_threads *s, uint32_t life, uint32_t resets, uint64_t head)
{
    uint64_t whose = whose_of(life, resets), high = wait_for_note(s, life, whose, head);
    uint64_t low = r->from[s->number] ? r->from[s->number] - 1 : 0;
    while (low < high) { /* the first one beyond */
        uint64_t middle = low + (high - low) / 2;
        if (compare_note(&s->note[middle % NOTES], whose, head) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    const struct note *n = &s->note[(low - 1) % NOTES];
    return low && atomic_load_explicit(&n->whose, memory_order_relaxed) == whose ? atomic_load_explicit(&n->position, memory_order_relaxed)
                                                                                   : UINT64_MAX;
}

/* ---- sums of a row ---- */

static bool add_tree(struct script_sums *sums, const struct profile *p, uint32_t first, uint32_t parent)
{
    for (uint32_t i = first; i; i = p->node[i].next_sibling) {
        const struct profile_times *t = &p->node[i].t;
        uint32_t path = script_find_path(&script, parent, p->node[i].site);
        if (path == UINT32_MAX || p->node[i].other)
            return false;
        struct script_sums more = {(int64_t)t->calls, (int64_t)t->open, (int64_t)t->raised, (int64_t)t->suspended};
        script_add(&sums[path], &more, 1);
        if (!add_tree(sums, p, p->node[i].first_child, path))
            return false;
    }
    return true;
}

static void clear(struct script_sums *sums) { memset(sums, 0, script.paths * sizeof *sums); }

/* The first path that differs; 0: none. Among the merged ones a call that waits is an open one like others. */
static uint32_t difference(const struct script_sums *a, const struct script_sums *b, bool waiting)
{
    for (uint32_t p = 1; p < script.paths; p++) {
        bool same = a[p].calls == b[p].calls && a[p].raised == b[p].raised && a[p].open == b[p].open &&
                    (!waiting || a[p].suspended == b[p].suspended);
        if (!same)
            return p;
    }
    return 0;
}

static void fail_at(const struct reader *r, const char *what, const char *name, const struct script_sums *sums, uint32_t path)
{
    const struct script_sums *e = &r->expected[path], *g = &sums[path];
    fail("reader %u, snapshot %llu: %s %s: path %u has calls %lld open %lld raised %lld suspended %lld, must have %lld %lld %lld %lld\n",
         r->number, (unsigned long long)r->snapshots, what, name, path, (long long)g->calls, (long long)g->open, (long long)g->raised,
         (long long)g->suspended, (long long)e->calls, (long long)e->open, (long long)e->raised, (long long)e->suspended);
}

/* ---- one look ---- */

static const struct lane_copy *lane_named(const struct snapshot *s, const struct profile_thread *t)
{
    for (uint32_t i = 0; i < s->lanes; i++)
        if (!s->lane[i].empty && strcmp(s->lane[i].name, t->name) == 0)
            return &s->lane[i];
    return NULL;
}

/* What the rows have said: which threads have one, and how many of the ended ones are not whole. */
struct rows {
    struct {
        uint32_t slot, life;
        bool live;
    } row[ROWS];
    uint32_t count, partial;
};

enum row_kind { ROW_NONE, ROW_LIVE, ROW_ENDED };

static enum row_kind row_of(const struct rows *rows, uint32_t slot, uint32_t life)
{
    for (uint32_t i = 0; i < rows->count; i++)
        if (rows->row[i].slot == slot && rows->row[i].life == life)
            return rows->row[i].live ? ROW_LIVE : ROW_ENDED;
    return ROW_NONE;
}

static void check_live(struct reader *r, const struct lane_copy *l, struct slot_of_threads *s, uint32_t life)
{
    uint64_t position = position_at(r, s, life, r->resets, l->head);
    if (position == UINT64_MAX) {
        fail("reader %u: thread %s: head %llu was never noted\n", r->number, l->name, (unsigned long long)l->head);
        return;
    }
    clear(r->expected);
    script_expect(&script, r->expected, position);
    uint32_t wrong = difference(r->row, r->expected, true);
    if (wrong)
        fail_at(r, "live thread", l->name, r->row, wrong);
}

static void check_ended(struct reader *r, const struct lane_copy *l, struct slot_of_threads *s, uint32_t life, struct rows *rows)
{
    while (atomic_load_explicit(&s->closed, memory_order_acquire) < life)
        pause_us(20);
    clear(r->expected);
    script_expect(&script, r->expected, s->final[life].position);
    uint32_t wrong = difference(r->row, r->expected, true);
    if (wrong && rows->partial++)
        fail_at(r, "ended thread", l->name, r->row, wrong);
}

static void add_to_ended(struct reader *r)
{
    for (uint32_t p = 1; p < script.paths; p++)
        script_add(&r->ended[p], &r->row[p], 1);
}

static void check_row(struct reader *r, const struct profile *p, const struct profile_thread *t, const struct lane_copy *l, struct rows *rows)
{
    unsigned slot, life;
    clear(r->row);
    if (!add_tree(r->row, p, t->first_root, 0))
        fail("reader %u: thread %s has a path that is not in the script\n", r->number, t->name);
    if (t->merged) {
        add_to_ended(r);
        return;
    }
    bool known = sscanf(t->name, "%u %u", &slot, &life) == 2 && slot < SLOTS && life < LIVES && rows->count < ROWS;
    if (!known || row_of(rows, slot, life) != ROW_NONE) {
        fail("reader %u: a row too many: \"%s\"\n", r->number, t->name);
        return;
    }
    rows->row[rows->count].slot = slot;
    rows->row[rows->count].life = life;
    rows->row[rows->count++].live = l->state == LANE_LIVE;
    if (l->state == LANE_LIVE)
        check_live(r, l, &slots[slot], life);
    else {
        add_to_ended(r);
        check_ended(r, l, &slots[slot], life, rows);
    }
}

/* Threads that ended during the look: among the merged ones or not seen at all. */
struct uncertain {
    uint64_t position[UNCERTAIN_MAX];
    uint32_t count;
};

/* Into `expected`: the threads that ended since the last reset and must be seen. false: too many are uncertain. */
static bool expect_ended(struct reader *r, const struct rows *rows, struct uncertain *u)
{
    u->count = 0;
    clear(r->expected);
    for (uint32_t k = 0; k < SLOTS; k++) {
        const struct slot_of_threads *s = &slots[k];
        uint32_t life = atomic_load_explicit(&s->closed, memory_order_acquire);
        for (; life && s->final[life].resets >= r->resets; life--) {
            enum row_kind row = row_of(rows, k, life);
            if (s->final[life].resets != r->resets || row == ROW_LIVE)
                continue;
            if (row == ROW_ENDED || life <= r->closed[k])
                script_expect(&script, r->expected, s->final[life].position);
            else if (u->count == UNCERTAIN_MAX)
                return false;
            else
                u->position[u->count++] = s->final[life].position;
        }
    }
    return true;
}

/* 0: the ended and merged rows are the sum of what must be there and some of the uncertain ones. */
static uint32_t total_difference(struct reader *r, const struct uncertain *u)
{
    uint32_t wrong = 0;
    for (uint32_t some = 0; some < 1u << u->count; some++) {
        memcpy(r->row, r->expected, script.paths * sizeof *r->row);
        for (uint32_t i = 0; i < u->count; i++)
            if (some >> i & 1)
                script_expect(&script, r->row, u->position[i]);
        uint32_t here = difference(r->ended, r->row, false);
        if (!here)
            return 0;
        wrong = wrong ? wrong : here;
    }
    return wrong;
}

/* A thread whose end is not known yet may be merged already: then it will be known soon. */
static void check_total(struct reader *r, const struct rows *rows)
{
    struct uncertain u;
    uint32_t wrong = 0;
    for (int attempt = 0; attempt < 20; attempt++) {
        if (!expect_ended(r, rows, &u))
            return;
        wrong = total_difference(r, &u);
        if (!wrong) {
            r->totals++;
            return;
        }
        pause_us(10000);
    }
    fail_at(r, "ended threads", "together", r->ended, wrong);
}

/* All time belongs to somebody, nothing was lost. */
static void check_whole(const struct reader *r, const struct profile *p)
{
    uint64_t exclusive = 0, roots = 0, odd = p->lost + p->clamped + p->mismatched + p->silent_ends + p->unpathed + p->lost_lanes;
    for (uint32_t i = 1; i <= p->nodes; i++)
        exclusive += p->node[i].t.exclusive;
    for (uint32_t i = 0; i < p->threads; i++)
        roots += p->thread[i].roots;
    if (odd)
        fail("reader %u: lost %llu clamped %llu mismatched %llu silent %llu\n", r->number, (unsigned long long)p->lost,
             (unsigned long long)p->clamped, (unsigned long long)p->mismatched, (unsigned long long)p->silent_ends);
    for (uint32_t i = 0; i < p->sites; i++)
        exclusive -= p->site[i].t.exclusive;
    if (exclusive)
        fail("reader %u: exclusive times of sites and paths differ by %lld ticks\n", r->number, (long long)exclusive);
    for (uint32_t i = 0; i < p->sites; i++)
        exclusive += p->site[i].t.exclusive;
    if (exclusive != roots)
        fail("reader %u: exclusive times are %lld ticks more than the roots have\n", r->number, (long long)(exclusive - roots));
}

static void begin_look(struct reader *r)
{
    for (uint32_t k = 0; k < SLOTS; k++) {
        struct slot_of_threads *s = &slots[k];
        do {
            r->from[k] = atomic_load_explicit(&s->notes, memory_order_acquire);
            atomic_store_explicit(&s->looked_at[r->number], r->from[k], memory_order_seq_cst);
        } while (atomic_load_explicit(&s->notes, memory_order_acquire) - r->from[k] > NOTES / 4);
        r->closed[k] = atomic_load_explicit(&s->closed, memory_order_acquire);
    }
}

static void end_look(struct reader *r)
{
    for (uint32_t k = 0; k < SLOTS; k++)
        atomic_store_explicit(&slots[k].looked_at[r->number], UINT64_MAX, memory_order_release);
}

static void check(struct reader *r, const struct snapshot *s, const struct profile *p)
{
    struct rows rows = {.count = 0};
    clear(r->ended);
    for (uint32_t i = 0; i < p->threads; i++) {
        const struct lane_copy *l = lane_named(s, &p->thread[i]);
        if (l) /* else nothing is in it yet */
            check_row(r, p, &p->thread[i], l, &rows);
    }
    check_whole(r, p);
    r->rows += rows.count;
    r->partial += rows.partial;
    check_total(r, &rows);
}

/* With such patience there is no reason for it. */
static void fail_incomplete(const struct reader *r, const struct snapshot *s)
{
    fail("reader %u, snapshot %llu: incomplete after %u retries\n", r->number, (unsigned long long)r->snapshots, s->retries);
    for (uint32_t i = 0; i < s->lanes; i++)
        if (!s->lane[i].complete)
            fail("  lane %u state %u \"%s\" head %llu\n", s->lane[i].page, s->lane[i].state, s->lane[i].name,
                 (unsigned long long)s->lane[i].head);
}

static void look_once(struct reader *r, bool alive)
{
    struct snapshot s;
    struct profile p;
    begin_look(r);
    int e = snapshot_take(&s, &r->view, &(struct snapshot_options){.alive = alive, .patience = PATIENCE_NS});
    r->snapshots++;
    if (e < 0 || profile_make(&p, &s) < 0) {
        fail("reader %u: %s\n", r->number, e < 0 ? strerror(-e) : "no profile");
        end_look(r);
        return;
    }
    r->retries += s.retries;
    r->resets = s.session.resets;
    if (p.complete)
        check(r, &s, &p);
    else
        fail_incomplete(r, &s);
    end_look(r);
    profile_free(&p);
    snapshot_free(&s);
}

static void *reader_main(void *argument)
{
    struct reader *r = argument;
    for (uint64_t i = 0; !atomic_load(&stop) && !atomic_load(&failures); i++)
        look_once(r, i % 2);
    return NULL;
}

/* ---- the whole ---- */

static void *new_sums(void) { return calloc(script.paths, sizeof(struct script_sums)); }

static void set_up(void)
{
    struct lanes_options o = {.ring_slots = SEGMENT_MIN_RING_SLOTS, .keep_exited = KEEP_EXITED, .limits = folder_default_limits};
    script_make(&script, 1);
    int e = segment_begin(&test, CAPACITY, &o);
    if (e < 0) {
        fprintf(stderr, "no segment: %s\n", strerror(-e));
        exit(1);
    }
    intern_numbered(&test, SCRIPT_SITES);
    atomic_store(&header()->consumers, 1);
    atomic_store(&epoch, 1);
    for (uint32_t k = 0; k < SLOTS; k++) {
        slots[k] = (struct slot_of_threads){.number = k};
        slots[k].note = calloc(NOTES, sizeof *slots[k].note);
        slots[k].final = calloc(LIVES, sizeof *slots[k].final);
        for (uint32_t r = 0; r < READERS; r++)
            atomic_store(&slots[k].looked_at[r], UINT64_MAX);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.number = i, .ended = new_sums(), .expected = new_sums(), .row = new_sums()};
        /* Pages that do not exist yet are in this view too: the writers here link none of those. */
        e = i == 0 ? view_of_memory(&readers[i].view, test.segment.base, test.segment.capacity) : open_as_reader(&readers[i].view, &test.segment);
        if (e < 0) {
            fprintf(stderr, "no view: %s\n", strerror(-e));
            exit(1);
        }
    }
}

/* Resets now and then, as session.c does it, and a site more each time. */
static void supervise(double seconds)
{
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
    uint32_t sites = SCRIPT_SITES;
    for (uint32_t i = 1; clock_ns(CLOCK_MONOTONIC) < end && !atomic_load(&failures); i++) {
        char name[32];
        pause_us(5000);
        snprintf(name, sizeof name, "later %u", ++sites);
        if (sites < 20000 && !sites_intern(test.sites, &(struct site){.name = name, .qualname = name, .module = "m", .file = "m.py"}))
            fail("no room for site %u\n", sites);
        if (i % 50)
            continue;
        atomic_fetch_add_explicit(&header()->resets, 1, memory_order_release);
        atomic_fetch_add_explicit(&epoch, 1, memory_order_release);
    }
    atomic_store(&stop, true);
}

/* To the last call, by the file as by memory. */
static void check_end(void)
{
    for (uint32_t i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];
        uint64_t totals = r->totals;
        look_once(r, false);
        if (!atomic_load(&failures) && r->totals != totals + 1)
            fail("reader %u: too much is uncertain at the end\n", r->number);
        printf("reader %u: %llu snapshots, %llu rows exact, %llu totals exact, %llu in mid-merge, %llu retries\n", i,
               (unsigned long long)r->snapshots, (unsigned long long)r->rows, (unsigned long long)r->totals, (unsigned long long)r->partial,
               (unsigned long long)r->retries);
    }
}

int main(void)
{
    const char *seconds = getenv("TSCAP_SECONDS");
    pthread_t writing[SLOTS], reading[READERS];
    uint64_t lives = 0, operations = 0;
    set_up();
    for (uint32_t k = 0; k < SLOTS; k++)
        pthread_create(&writing[k], NULL, slot_main, &slots[k]);
    for (uint32_t i = 0; i < READERS; i++)
        pthread_create(&reading[i], NULL, reader_main, &readers[i]);
    supervise(seconds ? atof(seconds) : 3);
    for (uint32_t i = 0; i < READERS; i++)
        pthread_join(reading[i], NULL);
    for (uint32_t i = 0; i < READERS; i++)
        end_look(&readers[i]); /* nobody waits for them any more */
    for (uint32_t k = 0; k < SLOTS; k++) {
        pthread_join(writing[k], NULL);
        lives += slots[k].closed;
        operations += slots[k].notes;
    }
    check_end();
    printf("%llu threads, %llu operations, %u merged, %u resets\n", (unsigned long long)lives, (unsigned long long)operations,
           header()->merges, header()->resets);
    segment_end(&test);
    return atomic_load(&failures) != 0;
}
