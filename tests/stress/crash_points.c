/* A writer stopped anywhere is readable and exact: "anywhere" is after every single instruction.
 *
 * A child pushes calls; its parent steps it with ptrace(2), instruction by instruction, through windows in which it pushes,
 * folds, adds pages, suspends and resumes, forgets everything, and ends the thread. Between two instructions the child is
 * as good as dead. A snapshot must then succeed at the first look, be complete, and hold exactly the operations that the
 * child had finished (it keeps count in a page of its own), the one it was at being there or not. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/segments.h"

#ifdef __SANITIZE_THREAD__
#define SKIP "stepping through TSan's own code proves nothing"
#else
#define SKIP ""
#endif

enum { SITES = 3, MOST_STEPS = 40000 };

/* Shared with the child: how many calls of each site it has begun, for certain; `at` is the site it is beginning. */
struct progress {
    _Atomic uint64_t begun[SITES + 1];
    _Atomic uint32_t at;
    _Atomic uint32_t forgetting; /* a reset is under way: everything or nothing */
    _Atomic uint32_t window;     /* the child is in a window to be stepped through */
};

static struct progress *progress;
static struct test_segment segment;

/* ---- the child ---- */

static void enter(struct writer *w, uint32_t site)
{
    progress->at = site;
    writer_enter(w, site);
    progress->begun[site]++;
    progress->at = 0;
}

static void call_tree(struct writer *w, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        enter(w, 1);
        enter(w, 2);
        writer_exit(w, 2, i % 7 == 0 ? RECORD_RAISED : 0);
        enter(w, 2);
        writer_exit(w, 2, 0);
        writer_exit(w, 1, 0);
    }
}

static void generators(struct writer *w, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        progress->at = 3;
        writer_enter_keyed(w, 3, 0x1000 + 8 * i);
        progress->begun[3]++;
        progress->at = 0;
        writer_suspend(w, 3);
        writer_resume(w, 3, 0x1000 + 8 * i);
        writer_exit(w, 3, 0);
    }
}

static void forget(struct writer *w)
{
    struct segment_header *h = segment.segment.header;
    progress->forgetting = 1;
    atomic_fetch_add(&h->resets, 1);
    writer_reset(w, h->resets);
    for (int site = 1; site <= SITES; site++)
        progress->begun[site] = 0;
    progress->forgetting = 0;
}

static void window(bool on)
{
    progress->window = on;
    raise(SIGSTOP);
}

static _Noreturn void child(void)
{
    struct writer *w = lanes_open(segment.lanes, "stepped");
    if (!w)
        _exit(1);
    window(true); /* the first nodes, pages and blocks */
    call_tree(w, 2);
    generators(w, 1);
    window(false);
    call_tree(w, (SEGMENT_MIN_RING_SLOTS / 4 * 3 - 40) / 6);
    window(true); /* folding sets in */
    call_tree(w, 12);
    generators(w, 3);
    window(false);
    call_tree(w, 500);
    window(true);
    forget(w);
    call_tree(w, 2);
    window(false);
    call_tree(w, 100);
    window(true); /* the thread ends with a call open */
    enter(w, 1);
    lanes_close(segment.lanes, w);
    _exit(0);
}

/* ---- the parent ---- */

static unsigned long looks, failures;

static void fail(const char *what, const struct snapshot *s)
{
    fprintf(stderr, "crash_points: %s (begun %lu %lu %lu, at %u, retries %u)\n", what, (unsigned long)progress->begun[1],
            (unsigned long)progress->begun[2], (unsigned long)progress->begun[3], progress->at, s ? s->retries : 0);
    if (++failures > 20)
        exit(1);
}

static bool exact(const struct profile *p)
{
    uint64_t all = 0;
    bool good = true;
    for (uint32_t id = 1; id <= SITES; id++) {
        const struct profile_site *site = profile_site(p, id);
        uint64_t calls = site ? site->t.calls : 0, begun = progress->begun[id];
        good &= calls == begun || (progress->at == id && calls == begun + 1);
        all += calls;
    }
    return good || (progress->forgetting && all == 0);
}

static bool sums_agree(const struct profile *p)
{
    uint64_t exclusive = 0, roots = 0;
    for (uint32_t i = 0; i < p->sites; i++)
        exclusive += p->site[i].t.exclusive;
    for (uint32_t i = 0; i < p->threads; i++)
        roots += p->thread[i].roots;
    return exclusive == roots;
}

static void check_now(void)
{
    struct view v;
    struct snapshot s;
    struct profile p;
    struct snapshot_options options = {.alive = true, .patience = 0}; /* one look */
    looks++;
    if (view_of_memory(&v, segment.segment.base, (uint64_t)segment.segment.header->pages_used * SEGMENT_PAGE) < 0 ||
        snapshot_take(&s, &v, &options) < 0) {
        fail("no snapshot", NULL);
        return;
    }
    if (!s.complete || s.retries)
        fail("not at the first look, or not whole", &s);
    if (profile_make(&p, &s) == 0) {
        if (!exact(&p) || p.lost)
            fail("not the calls that were made", &s);
        if (!sums_agree(&p))
            fail("own times do not sum to the roots'", &s);
        profile_free(&p);
    }
    snapshot_free(&s);
}

/* What a reader can see of the lane: as long as it stays the same, so does what it reads. */
static uint64_t visible(void)
{
    const struct segment_header *h = segment.segment.header;
    const struct lane *l = h->lane_first ? segment_page_at(segment.segment.base, h->lane_first) : NULL;
    uint64_t sum = 0;
    const uint64_t *words = (const uint64_t *)l;
    for (size_t i = 0; l && i < sizeof *l / 8; i++)
        sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull;
    for (int kind = PAGE_NODE; l && kind <= PAGE_SUSPENDED; kind++) {
        const uint64_t *page = l->chain[kind] ? segment_page_at(segment.segment.base, l->chain[kind]) : NULL;
        for (size_t i = 0; page && i < SEGMENT_PAGE / 8; i++)
            sum = (sum ^ page[i]) * 0x9e3779b97f4a7c15ull;
    }
    return sum;
}

static int step(pid_t pid, int request, int *status)
{
    if (ptrace(request, pid, NULL, NULL) != 0 || waitpid(pid, status, 0) != pid)
        return -1;
    return WIFSTOPPED(*status) ? 0 : 1;
}

/* True while the child lives. */
static bool step_through(pid_t pid, unsigned long *steps)
{
    int status = 0;
    uint64_t seen = 0;
    for (unsigned long i = 0; i < MOST_STEPS; i++) {
        if (step(pid, PTRACE_SINGLESTEP, &status) != 0)
            return false;
        if (WSTOPSIG(status) == SIGSTOP)
            return true;
        ++*steps;
        uint64_t now = visible();
        if (now != seen || i % 64 == 0)
            check_now();
        seen = now;
    }
    return true;
}

static unsigned long drive(pid_t pid)
{
    int status;
    unsigned long steps = 0;
    if (waitpid(pid, &status, 0) != pid)
        return 0;
    for (bool lives = true; lives;) {
        if (WIFSTOPPED(status) && progress->window) {
            lives = step_through(pid, &steps);
            if (lives && progress->window) /* long enough: let it run to the window's end */
                lives = step(pid, PTRACE_CONT, &status) == 0;
        } else
            lives = step(pid, PTRACE_CONT, &status) == 0;
        if (lives)
            check_now();
    }
    return steps;
}

static int prepare(void)
{
    struct lanes_options options = small_lanes();
    progress = mmap(NULL, SEGMENT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED || segment_begin(&segment, 16u << 20, &options) < 0)
        return -1;
    static const char *const names[SITES] = {"outer", "inner", "generator"};
    for (uint32_t i = 0; i < SITES; i++)
        sites_intern(segment.sites, &(struct site){.name = names[i], .qualname = names[i], .line = i + 1});
    return 0;
}

int main(void)
{
    if (*SKIP) {
        printf("crash_points: skipped: %s\n", SKIP);
        return 77;
    }
    if (prepare() < 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        child();
    }
    unsigned long steps = drive(pid);
    segment_end(&segment);
    printf("%lu instructions, %lu snapshots, %lu wrong\n", steps, looks, failures);
    return failures ? 1 : steps > 1000 ? 0 : 77;
}
