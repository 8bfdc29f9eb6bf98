/* A segment whose every word is somebody else's: read it as tscap does, walk everything that was made of it. */
#include <string.h>

#include "fuzz.h"
#include "profile.h"
#include "snapshot.h"
#include "sparse.h"

#define PATIENCE_NS 200000u

static size_t lengths; /* what was read must be used */

static void walk_tree(const struct profile *p, uint32_t first)
{
    uint32_t seen = 0;
    for (uint32_t i = first; i;) {
        MUST(i <= p->nodes && seen++ < p->nodes);
        const struct profile_node *n = &p->node[i];
        MUST(n->first_child == 0 || p->node[n->first_child].parent == i);
        MUST(n->other || n->t.exclusive <= n->t.inclusive);
        MUST(n->t.off_inclusive <= n->t.inclusive);
        if (n->first_child) {
            i = n->first_child;
            continue;
        }
        while (i && !p->node[i].next_sibling)
            i = p->node[i].parent;
        i = i ? p->node[i].next_sibling : 0;
    }
}

static void walk(const struct profile *p)
{
    for (uint32_t i = 0; i < p->sites; i++) {
        const struct profile_site *s = &p->site[i];
        lengths += strlen(s->name) + strlen(s->qualname) + strlen(s->module) + strlen(s->file);
        MUST(profile_site(p, s->id) == s);
    }
    for (uint32_t i = 0; i < p->pairs; i++)
        MUST(i == 0 || p->pair[i - 1].caller < p->pair[i].caller ||
             (p->pair[i - 1].caller == p->pair[i].caller && p->pair[i - 1].callee < p->pair[i].callee));
    for (uint32_t i = 0; i < p->threads; i++) {
        lengths += strlen(p->thread[i].name);
        walk_tree(p, p->thread[i].first_root);
    }
}

/* What the first of them sees. */
static void walk_consumers(const struct snapshot *s)
{
    struct profile p;
    unsigned seen = 0;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS && seen < 3; i++) {
        const struct consumer *c = &s->audiences.consumer[i];
        if (!c->number)
            continue;
        lengths += strlen(c->name) + strlen(c->selected);
        seen++;
        MUST(profile_make_view(&p, s, c->number) == 0);
        walk(&p);
        profile_free(&p);
    }
}

static void read_view(const struct view *v, bool alive)
{
    struct snapshot s;
    struct profile p;
    if (snapshot_take(&s, v, &(struct snapshot_options){.alive = alive, .patience = PATIENCE_NS}) < 0)
        return;
    walk_consumers(&s);
    if (profile_make(&p, &s) == 0) {
        snapshot_free(&s); /* the profile borrows nothing */
        walk(&p);
        profile_free(&p);
    } else
        snapshot_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v;
    size_t bytes;
    void *pages = sparse_decode(data, size, &bytes);
    if (pages && view_of_memory(&v, pages, bytes) == 0)
        read_view(&v, v.identity.pid % 2);
    free(pages);
    return 0;
}

/* ---- mutations that know of words: bytes changed anywhere make nothing but wild refs ---- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most) __attribute__((weak)); /* libFuzzer's own */

/* One of the literal words, chosen by `choice`; NULL: there is none. */
static uint8_t *some_word(uint8_t *data, size_t size, uint64_t choice)
{
    const uint8_t *words, *end = data + size;
    size_t zeros, count, total = 0, wanted;
    for (const uint8_t *p = data; (p = sparse_run(p, end, &zeros, &words, &count));)
        total += count;
    if (!total)
        return NULL;
    wanted = choice % total;
    for (const uint8_t *p = data; (p = sparse_run(p, end, &zeros, &words, &count)); wanted -= count)
        if (wanted < count)
            return data + (words - data) + wanted * 8;
    return NULL;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t changed(uint64_t old, uint64_t other, uint64_t *random)
{
    static const uint64_t odd[] = {0, 1, 2, 63, 64, 4096, 0x7fffffff, 0xffffffff, 0xfffffffe00000000, UINT64_MAX, INT64_MAX, 1ull << 63};
    uint64_t r = next(random);
    switch (r % 8) {
    case 0:
        return odd[(r >> 8) % (sizeof odd / sizeof *odd)];
    case 1:
        return old ^ 1ull << (r >> 8) % 64;
    case 2:
        return old + (r >> 8) % 9 - 4;
    case 3: /* one half */
        return (old & 0xffffffff) | (r >> 8) % 600 << 32;
    case 4:
        return (old & ~0xffffffffull) | (r >> 8) % 600;
    case 5:
        return (old & ~0xffffffffull) | (other & 0xffffffff);
    case 6:
        return (r >> 8) % 40000; /* a ref into a small segment */
    default:
        return other;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15ull | 1, times = 1 + next(&random) % 4;
    if (next(&random) % 8 == 0 && LLVMFuzzerMutate)
        return LLVMFuzzerMutate(data, size, most);
    for (uint64_t i = 0; i < times; i++) {
        uint8_t *to = some_word(data, size, next(&random)), *from = some_word(data, size, next(&random));
        uint64_t old, other;
        if (!to || !from)
            return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, most) : size;
        memcpy(&old, to, sizeof old);
        memcpy(&other, from, sizeof other);
        other = changed(old, other, &random);
        memcpy(to, &other, sizeof other);
    }
    return size;
}
