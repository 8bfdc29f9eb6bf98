#include "activations.h"

#include <sys/mman.h>

#include "items.h"
#include "recorder.h"
#include "thread.h"

struct activation {
    struct item item;  /* first: what items_find() returns */
    struct waiting at; /* since 0: it runs, or ran when recording ended */
    uint64_t began;    /* while it runs, or is aside: writer_time() when that began */
    uint32_t site;
    uint32_t next_free; /* index; 0: none */
};

/* Only what is touched takes memory. */
#define ARENA_MOST ((size_t)64 << 20)
#define ARENA_LEAST ((size_t)64 << 10)

static struct {
    struct activation *arena; /* [1 ..] */
    size_t bytes;
    uint32_t used, first_free;
    struct activation *recent; /* looked for last: often it is the next, too */
    struct items *items;
} all;

/* ---- the table ---- */

static bool make_arena(void)
{
    for (size_t bytes = ARENA_MOST; !all.arena && bytes >= ARENA_LEAST; bytes /= 2) {
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            continue;
        all.arena = p;
        all.bytes = bytes;
    }
    if (all.arena && !all.items)
        all.items = items_new(all.arena);
    return all.items;
}

void activations_forget(void)
{
    items_delete(all.items);
    if (all.arena)
        munmap(all.arena, all.bytes);
    all.items = NULL;
    all.arena = all.recent = NULL;
    all.used = all.first_free = 0;
}

static uint64_t key_of(const struct activation *a) { return atomic_load_explicit(&a->item.key, memory_order_relaxed); }

static struct activation *find(uint64_t key)
{
    if (all.recent && key_of(all.recent) == key)
        return all.recent;
    struct activation *a = all.items ? items_find(all.items, key) : NULL;
    if (a)
        all.recent = a;
    return a;
}

static struct activation *add(uint64_t key)
{
    if (!make_arena())
        return NULL;
    uint32_t i = all.first_free;
    if (i)
        all.first_free = all.arena[i].next_free;
    else if ((all.used + 2) * sizeof *all.arena <= all.bytes)
        i = ++all.used;
    if (!i)
        return NULL;
    struct activation *a = &all.arena[i];
    atomic_store_explicit(&a->item.key, key, memory_order_relaxed);
    items_insert(all.items, &a->item);
    all.recent = a;
    return a;
}

static void drop(struct activation *a)
{
    items_remove(all.items, &a->item);
    all.recent = NULL;
    a->next_free = all.first_free;
    all.first_free = (uint32_t)(a - all.arena);
}

/* ---- threads ---- */

static uint32_t generation(const struct writer *w) { return atomic_load_explicit(&w->lane->generation, memory_order_relaxed); }

static bool is_here(const struct thread *t, const struct activation *a)
{
    return a->at.writer == t->writer && a->at.generation == generation(t->writer);
}

static void runs_here(struct thread *t, struct activation *a)
{
    a->at.writer = t->writer;
    a->at.generation = generation(t->writer);
    a->at.since = 0;
    a->began = writer_time(t->writer);
}

/* The lane of this thread finds out by itself, by the same key. */
static void is_over(struct thread *t, const struct activation *a, uint64_t key)
{
    if (a->at.since && !is_here(t, a))
        writer_end_silently(t->writer, key, &a->at);
}

void activation_begins(struct thread *t, uint32_t site, uint64_t key)
{
    struct activation *a = find(key);
    if (a)
        is_over(t, a, key);
    else
        a = add(key);
    writer_enter_keyed(t->writer, site, key);
    if (!a) {
        atomic_fetch_add_explicit(&recorder_segment()->header->lost_calls, 1, memory_order_relaxed);
        return;
    }
    a->site = site;
    a->at.carried = a->at.waited = 0;
    runs_here(t, a);
}

/* One that was running when recording ended was closed then, and one of another site is over. */
static struct activation *find_waiting(struct thread *t, uint32_t site, uint64_t key)
{
    struct activation *a = find(key);
    if (!a || (a->at.since && a->site == site))
        return a;
    is_over(t, a, key);
    drop(a);
    return NULL;
}

uint32_t activation_site(uint64_t key)
{
    const struct activation *a = find(key);
    return a ? a->site : 0;
}

void activation_resumes(struct thread *t, uint32_t site, uint64_t key)
{
    struct activation *a = find_waiting(t, site, key);
    if (a && !is_here(t, a))
        writer_resume_moved(t->writer, site, key, &a->at);
    else
        writer_resume(t->writer, site, key);
    if (!a)
        return;
    if (t->writer->last > a->at.since)
        a->at.waited += t->writer->last - a->at.since;
    runs_here(t, a);
}

/* What has passed since it last went on, or stepped aside. */
static void add_stretch(struct thread *t, struct activation *a, uint64_t *to)
{
    uint64_t now = writer_time(t->writer);
    *to += now > a->began ? now - a->began : 0;
    a->began = now;
}

static struct activation *find_running(const struct thread *t, uint64_t key)
{
    struct activation *a = find(key);
    return a && is_here(t, a) && !a->at.since ? a : NULL;
}

void activation_stops(struct thread *t, uint64_t key, bool waits)
{
    struct activation *a = find_running(t, key);
    if (a && waits) {
        add_stretch(t, a, &a->at.carried);
        a->at.since = t->writer->last;
    } else if (a) {
        drop(a);
    }
}

void activation_steps_aside(struct thread *t, uint64_t key)
{
    struct activation *a = find_running(t, key);
    if (a)
        add_stretch(t, a, &a->at.carried);
}

void activation_comes_back(struct thread *t, uint64_t key)
{
    struct activation *a = find_running(t, key);
    if (a)
        add_stretch(t, a, &a->at.waited);
}
