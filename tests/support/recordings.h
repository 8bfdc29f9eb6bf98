/* Recordings made by hand, with a different number in each field, and what must be equal of two. */
#ifndef TSCAP_TESTS_RECORDINGS_H
#define TSCAP_TESTS_RECORDINGS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

enum { MADE_SITES = 5, MADE_PROCESSES = 2, MADE_THREADS = 3, MADE_PAIRS = 3, MADE_NODES = 6, MADE_BUCKETS = 3 };

/* Each field another value, all told apart by `seed`; sums are such that a reader need not mend them. */
static inline struct profile_times made_times(uint64_t seed)
{
    struct profile_times t;
    uint64_t *field = (uint64_t *)&t;
    for (size_t i = 0; i < sizeof t / sizeof *field; i++)
        field[i] = seed * 1000 + i;
    t.inclusive = seed * 1000 + 900;
    t.exclusive = seed * 1000 + 800;
    t.off_inclusive = seed * 1000 + 700;
    t.off_exclusive = seed * 1000 + 600;
    return t;
}

static inline char *made_text(const char *format, uint32_t i)
{
    char buffer[256];
    snprintf(buffer, sizeof buffer, format, i);
    return strdup(buffer);
}

static inline void make_sites(struct profile *p)
{
    p->sites = MADE_SITES;
    p->site = calloc(MADE_SITES, sizeof *p->site);
    for (uint32_t i = 0; i < MADE_SITES; i++) {
        struct profile_site *s = &p->site[i];
        *s = (struct profile_site){.id = 2 * i + 1, .line = 10 + i, .track = i, .kind = i % 2 ? SITE_BLOCK : SITE_FUNCTION};
        s->name = made_text("name_%u;\"quoted\"", i);
        s->qualname = made_text("Class%u.name", i);
        s->module = made_text("module", i);
        s->file = made_text("/srv/app/file_%u.py", i);
        if (i == 3)
            continue; /* has a name, and was never called */
        s->t = made_times(100 + i);
        s->spread = (struct profile_spread){5 + i, 1 + i, UINT64_MAX - i, 200 + i, 300 + i, 400 + i, 500 + i, 600 + i, 700 + i, 800 + i, 900 + i, 1000 + i};
        s->processes = 1 + i;
    }
}

static inline void make_pairs(struct profile *p)
{
    static const uint32_t pair[MADE_PAIRS][2] = {{0, 1}, {1, 3}, {1, 5}};
    p->pairs = MADE_PAIRS;
    p->pair = calloc(MADE_PAIRS, sizeof *p->pair);
    for (uint32_t i = 0; i < MADE_PAIRS; i++)
        p->pair[i] = (struct profile_pair){pair[i][0], pair[i][1], made_times(200 + i)};
    p->buckets = MADE_BUCKETS;
    p->bucket = calloc(MADE_BUCKETS, sizeof *p->bucket);
    for (uint32_t i = 0; i < MADE_BUCKETS; i++) {
        p->bucket[i] = (struct profile_bucket){.site = i ? 3 : 1, .kind = i % BLOCK_KINDS, .exponent = 10 + i};
        for (unsigned k = 0; k < HISTOGRAM_STEPS; k++)
            p->bucket[i].count[k] = i * 100 + k;
    }
}

/* Thread 0: 1 -> (3, 5); thread 2: 9, 7 -> (other). */
static inline void make_trees(struct profile *p)
{
    p->threads = MADE_THREADS;
    p->thread = calloc(MADE_THREADS, sizeof *p->thread);
    for (uint32_t i = 0; i < MADE_THREADS; i++) {
        struct profile_thread *t = &p->thread[i];
        *t = (struct profile_thread){.process = i / 2, .lane = (uint64_t)i << 40 | 7, .tid = 4000 + i, .count = i, .roots = 1u + i};
        snprintf(t->name, sizeof t->name, "Thread-%u \xc3\xa9", i);
        t->exited = i == 1;
        t->complete = i != 1;
        t->merged = i == 2;
    }
    static const struct profile_node nodes[1 + MADE_NODES + 2] = {
        [1] = {.first_child = 2},
        [2] = {.site = 1, .parent = 1, .first_child = 3},
        [3] = {.site = 3, .parent = 2, .next_sibling = 4},
        [4] = {.site = 5, .parent = 2},
        [5] = {.first_child = 6},
        [6] = {.site = 9, .parent = 5, .next_sibling = 7},
        [7] = {.site = 7, .parent = 5, .first_child = 8},
        [8] = {.other = true, .parent = 7},
    };
    p->nodes = MADE_NODES + 2;
    p->node = calloc(p->nodes + 1, sizeof *p->node);
    memcpy(p->node, nodes, sizeof nodes);
    p->thread[0].first_root = 2;
    p->thread[2].first_root = 6;
    for (uint32_t i = 1; i <= p->nodes; i++)
        if (i != 1 && i != 5)
            p->node[i].t = made_times(300 + i);
}

static inline void make_processes(struct recording *r)
{
    r->processes = MADE_PROCESSES;
    r->process = calloc(MADE_PROCESSES, sizeof *r->process);
    for (uint32_t i = 0; i < MADE_PROCESSES; i++) {
        struct recording_process *p = &r->process[i];
        struct segment_header *h = &p->header;
        p->pid = 100 + i;
        p->uid = 1000 + i;
        p->alive = i == 0;
        p->apart = p->read = i == 1;
        p->consumer = 9 * i;
        p->asof = 77 + i;
        p->command = made_text("python3 /srv/app/app.py --worker %u", i);
        h->pid = 10 + i;
        h->parent_pid = 20 + i;
        h->start_time = UINT64_MAX - i;
        h->clock_source = 1 + i;
        h->cpu_mode = i;
        h->anchor_ticks = 31 + i;
        h->anchor_monotonic = 41 + i;
        h->anchor_realtime = 51 + i;
        h->anchor_boottime = 61 + i;
        h->anchor_width = 71 + i;
        snprintf(h->python, sizeof h->python, "3.13.%u", i);
        snprintf(h->version, sizeof h->version, "1.2.%u", i);
        snprintf(h->boot_id, sizeof h->boot_id, "6b1d8f0e-0000-4000-8000-%012u", i);
        p->session = (struct session_state){.running = i == 0, .started = 81 + i, .stopped = 91 + i, .resets = 3 + i};
    }
}

static inline void make_about(struct recording *r)
{
    r->consumers = 1;
    r->consumer = calloc(1, sizeof *r->consumer);
    r->consumer[0] = (struct recording_consumer){.process = 1, .seen = true, .consumer = {.number = 9, .kind = CONSUMER_PROFILER, .flags = 5, .began = 6, .ended = 7, .zero = 8}};
    snprintf(r->consumer[0].consumer.name, sizeof r->consumer[0].consumer.name, "profiler");
    snprintf(r->consumer[0].consumer.selected, sizeof r->consumer[0].consumer.selected, "app:*");
    r->notes = 3;
    r->note = calloc(3, sizeof *r->note);
    r->note[0] = (struct recording_note){strdup("made_by"), strdup("a test")};
    r->note[1] = (struct recording_note){strdup("match"), strdup("")};
    r->note[2] = (struct recording_note){strdup("consumer"), strdup("profiler")};
}

static inline void make_losses(struct profile *p)
{
    uint64_t *const counts[] = {&p->lost, &p->unplaced, &p->unpathed, &p->lost_waits, &p->clamped, &p->mismatched, &p->silent_ends, &p->moving,
                                &p->untold, &p->lost_sites, &p->lost_lanes, &p->paused, &p->displaced, &p->refused_growth, &p->lost_interpreters,
                                &p->lost_processes, &p->other_clock, &p->records, &p->own, &p->call_cost, &p->calls};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = 500 + i;
}

static inline struct recording make_recording(void)
{
    struct recording r = {.session = {.started = 5, .stopped = 6, .resets = 7}, .asof = 8, .cpu_mode = 2, .ns_per_tick = 0.3712345678901234};
    r.whole_tree = r.interval = true;
    r.view = RECORDING_CONSUMER;
    r.began = 1700000000000000001u;
    r.ended = 1700000000000000002u;
    make_processes(&r);
    make_about(&r);
    make_sites(&r.profile);
    make_pairs(&r.profile);
    make_trees(&r.profile);
    make_losses(&r.profile);
    return r;
}

#endif
