/* A capture file whose every byte is somebody else's: read it as tscap does, walk all of it, write it again. Sums are mended
 * before, so that what is behind them is reached. */
#include <sys/mman.h>
#include <string.h>
#include <unistd.h>

#include "capture_block.h"
#include "capture_file.h"
#include "fuzz.h"
#include "interval.h"

static size_t lengths; /* what was read must be used */

/* ---- walking ---- */

static void walk_tree(const struct profile *p, uint32_t first)
{
    unsigned depth = 0;
    uint32_t seen = 0;
    for (uint32_t i = first; i; i = profile_next(p, i, &depth)) {
        MUST(i <= p->nodes && seen++ < p->nodes);
        const struct profile_node *n = &p->node[i];
        MUST(n->first_child == 0 || p->node[n->first_child].parent == i);
        MUST(n->parent && (n->other || profile_site(p, n->site)));
        MUST(n->other || n->t.exclusive <= n->t.inclusive);
        MUST(n->t.off_inclusive <= n->t.inclusive);
    }
}

static void walk(const struct profile *p, uint32_t processes)
{
    for (uint32_t i = 0; i < p->sites; i++) {
        const struct profile_site *s = &p->site[i];
        lengths += strlen(s->name) + strlen(s->qualname) + strlen(s->module) + strlen(s->file);
        MUST(profile_site(p, s->id) == s);
    }
    for (uint32_t i = 0; i < p->pairs; i++)
        MUST(profile_site(p, p->pair[i].callee) && (!p->pair[i].caller || profile_site(p, p->pair[i].caller)));
    for (uint32_t i = 0; i < p->buckets; i++)
        MUST(p->bucket[i].exponent < HISTOGRAM_EXPONENTS && p->bucket[i].kind < BLOCK_KINDS && profile_site(p, p->bucket[i].site));
    for (uint32_t i = 0; i < p->threads; i++) {
        MUST(p->thread[i].process < processes);
        lengths += strlen(p->thread[i].name);
        walk_tree(p, p->thread[i].first_root);
    }
}

static void walk_rest(const struct recording *r)
{
    MUST(r->processes && r->processes <= RECORDING_PROCESSES && r->ns_per_tick > 0);
    for (uint32_t i = 0; i < r->processes; i++)
        lengths += strlen(r->process[i].command) + strlen(r->process[i].header.python) + strlen(r->process[i].header.boot_id);
    for (uint32_t i = 0; i < r->consumers; i++)
        lengths += strlen(r->consumer[i].consumer.name) + strlen(r->consumer[i].consumer.selected);
    for (uint32_t i = 0; i < r->notes; i++)
        lengths += strlen(r->note[i].key) + strlen(r->note[i].value);
}

/* What was read can be written, and is read again as it was. */
static void write_again(const struct recording *r)
{
    struct capture_writer *w;
    struct recording again;
    struct capture_extent x;
    int fd = memfd_create("capture", MFD_CLOEXEC);
    MUST(fd >= 0 && capture_writer_open(&w, fd, capture_zstd, r->redacted) == 0);
    MUST(capture_writer_look(w, r) == 0 && capture_writer_finish(w) == 0);
    MUST(capture_read(&again, fd, &x) == 0 && x.finished);
    MUST(again.profile.sites == r->profile.sites && again.profile.pairs == r->profile.pairs && again.processes == r->processes);
    walk(&again.profile, again.processes);
    capture_writer_free(w);
    recording_free(&again);
    close(fd);
}

static void subtract(const struct profile *p, uint32_t processes)
{
    struct profile nothing = {.complete = true}, difference;
    MUST(interval_make(&difference, p, &nothing) == 0);
    walk(&difference, processes);
    profile_free(&difference);
    MUST(interval_make(&difference, p, p) == 0);
    walk(&difference, processes);
    MUST(difference.calls == 0);
    profile_free(&difference);
}

/* ---- files ---- */

/* The sums of the header and of each block, and their numbers, as if they were right. */
static void mend(uint8_t *data, size_t size)
{
    struct capture_header h;
    struct capture_block b;
    if (size < CAPTURE_FILE_HEADER || (capture_header_decode(&h, data) < 0 && memcmp(data + 12, "\1\0", 2) != 0))
        return;
    uint32_t begin = capture_get32(data + 16);
    h = (struct capture_header){.major = CAPTURE_MAJOR, .bytes = begin, .flags = capture_get32(data + 20)};
    capture_header_encode(data, &h);
    uint32_t sequence = 0;
    for (size_t at = begin; at < size && size - at >= CAPTURE_BLOCK_HEADER; at += CAPTURE_BLOCK_HEADER + b.stored) {
        if (!capture_block_decode(&b, data + at) || b.stored > size - at - CAPTURE_BLOCK_HEADER)
            return;
        b.sequence = sequence++;
        capture_block_encode(data + at, &b, data + at + CAPTURE_BLOCK_HEADER);
    }
}

static void read_file(const uint8_t *data, size_t size)
{
    struct recording r;
    struct capture_extent x;
    if (capture_read_memory(&r, data, size, &x) < 0)
        return;
    MUST(x.whole <= x.bytes && x.bytes == size && x.looks);
    walk(&r.profile, r.processes);
    walk_rest(&r);
    subtract(&r.profile, r.processes);
    write_again(&r);
    recording_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    MUST(copy);
    read_file(data, size);
    if (size)
        memcpy(copy, data, size);
    mend(copy, size);
    read_file(copy, size);
    free(copy);
    return 0;
}
