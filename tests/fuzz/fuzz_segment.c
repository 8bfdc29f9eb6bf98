/* A segment whose every word is somebody else's: read it as tscap does, walk everything that was made of it, and show it in each
 * form and as each consumer sees it. */
#include <stdio.h>
#include <string.h>

#include "choice.h"
#include "cputime.h"
#include "format.h"
#include "fuzz.h"
#include "message.h"
#include "profile.h"
#include "settings.h"
#include "snapshot.h"
#include "source.h"
#include "sparse.h"
#include "track_choice.h"
#include "track_report.h"

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
        MUST(s->spread.deviation <= s->spread.max / 2 + 1);
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

/* ---- showing ---- */

/* Nobody waits for a clock: a tick is as long as it comes. */
static struct capture capture_of(struct source *source, struct member *member, const struct profile *p)
{
    const struct snapshot *s = &member->snapshot;
    struct capture c = {.subject = &member->subject, .source = source, .profile = *p, .breaks = 0};
    c.snapshot = (struct snapshot){.header = s->header, .session = choice_session(source->shown, &member->view, &s->session), .asof = s->asof};
    c.scale = (struct clock_scale){s->header.anchor_ticks, s->header.anchor_monotonic, s->header.pid % 3 ? 0.385 : 1e9};
    c.cpu = s->header.cpu_mode != CPUTIME_WALL;
    for (uint32_t i = 0; i < p->sites; i++)
        c.total += p->site[i].t.exclusive;
    return c;
}

static void write_all(const struct capture *c)
{
    static FILE *nowhere;
    const char *name = c->profile.sites ? c->profile.site[0].name : "f";
    struct settings s = {.command = "dump", .operand = "1", .by = "prefix", .callers = name, .callees = name, .limit = 50, .width = 100};
    static char said[MESSAGE_MAX]; /* that there is no such function */
    if (!nowhere)
        nowhere = freopen("/dev/null", "w", stdout);
    message_keep(said, sizeof said);
    for (const struct format *f = formats; f < formats + format_count; f++)
        MUST(f->of != FORMAT_PROFILE || (f->write ? f->write(c, &s) : format_save(f, c, &s, nowhere)));
    s.flat = true;
    for (const struct format *f = formats; f < formats + format_count; f++)
        MUST(f->of != FORMAT_PROFILE || !(f->accepts & FORMAT_FLAT) || f->write(c, &s));
    message_keep(NULL, 0);
}

static void show(const struct snapshot *s, enum choice_of of, uint32_t consumer)
{
    struct profile p;
    struct member member = {.subject = {.pid = 1, .alive = s->header.pid % 2}, .snapshot = *s, .taken = true, .consumer = consumer}, *members = &member;
    struct source source = {.member = &members, .count = 1, .shown = of, .choice = {.of = of, .text = "any"}};
    member.view = choice_view(of, &member.snapshot, consumer);
    const struct profile_source seen = {.snapshot = &member.snapshot, .view = member.view};
    if (profile_make_sum(&p, &seen, 1) < 0)
        return;
    const struct capture c = capture_of(&source, &member, &p);
    write_all(&c);
    profile_free(&p);
}

static void show_views(const struct snapshot *s)
{
    show(s, CHOICE_DEFAULT, 0);
    show(s, CHOICE_EVERYTHING, 0);
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (s->audiences.consumer[i].number) {
            show(s, CHOICE_CONSUMER, s->audiences.consumer[i].number);
            return;
        }
}

/* As `tscap tracks` shows them, and finds one. */
static void show_tracks(const struct snapshot *s)
{
    const struct subject subject = {.pid = 1};
    struct track_report r = {.subject = &subject};
    const struct settings no = {.command = "tracks"};
    char text[64];
    MUST(track_list_make(&r.list, s) == 0);
    for (size_t i = 0; i < r.list.count; i++) {
        const struct track_line *l = &r.list.line[i];
        MUST(l->profiler->number && (!l->place || l->track) && (!l->track || (l->id && l->name)) && (!l->place || l->file));
    }
    for (const struct format *f = formats; f < formats + format_count; f++)
        MUST(f->of != FORMAT_TRACKS || f->write(&r, &no));
    snprintf(text, sizeof text, "%u:%s", r.list.count ? r.list.line[0].profiler->number : 1, s->tracks % 2 ? "10" : "Requests");
    static char said[MESSAGE_MAX];
    int code = EXIT_OK;
    message_keep(said, sizeof said);
    MUST(!track_choice_find(&r.list, "enable", text, "1", &code) == (code != EXIT_OK));
    message_keep(NULL, 0);
    track_list_free(&r.list);
}

static void read_view(const struct view *v, bool alive)
{
    struct snapshot s;
    struct profile p;
    if (snapshot_take(&s, v, &(struct snapshot_options){.alive = alive, .patience = PATIENCE_NS}) < 0)
        return;
    walk_consumers(&s);
    show_views(&s);
    show_tracks(&s);
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
