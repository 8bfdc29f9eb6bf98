/* Captures of programs that there never were: functions, and trees of calls with the times that the test wants, in a file. */
#ifndef TSCAP_TESTS_PLANTED_H
#define TSCAP_TESTS_PLANTED_H

#include <stdlib.h>
#include <string.h>

#include "capture_file.h"
#include "cputime.h"

enum { PLANTED_MOST = 4096, PLANTED_DEEPEST = 64 };

struct planted {
    struct recording r;
    uint32_t path[PLANTED_DEEPEST]; /* the nodes that the next call may lie below */
    uint32_t depth;                 /* how many */
};

static inline void planted_process(struct planted *p, uint32_t pid)
{
    struct recording_process *process = &p->r.process[p->r.processes++];
    *process = (struct recording_process){.pid = pid, .read = true, .asof = 10, .command = strdup("python3 planted.py")};
    process->session = (struct session_state){.started = 1, .stopped = 10};
    process->header.pid = pid;
    process->header.clock_source = 1;
    process->header.cpu_mode = CPUTIME_RSEQ;
    snprintf(process->header.python, sizeof process->header.python, "3.13.0");
    snprintf(process->header.version, sizeof process->header.version, "1.0.0");
}

static inline void planted_note(struct planted *p, const char *key, const char *value)
{
    p->r.note[p->r.notes++] = (struct recording_note){strdup(key), strdup(value)};
}

static inline void planted_thread(struct planted *p, uint32_t process)
{
    struct profile *q = &p->r.profile;
    struct profile_thread *t = &q->thread[q->threads];
    *t = (struct profile_thread){.process = process, .lane = q->threads + 1u, .tid = 100 + q->threads, .complete = true, .count = 1};
    q->threads++;
    q->nodes++; /* the root that nobody shows */
    p->path[0] = q->nodes;
    p->depth = 1;
}

/* Times are ticks of one nanosecond. */
static inline void planted_begin(struct planted *p, uint64_t duration)
{
    *p = (struct planted){.r = {.cpu_mode = CPUTIME_RSEQ, .ns_per_tick = 1, .began = 1, .ended = 2, .asof = duration}};
    p->r.process = calloc(64, sizeof *p->r.process);
    p->r.note = calloc(64, sizeof *p->r.note);
    p->r.session = (struct session_state){.started = 1, .stopped = 1 + duration};
    struct profile *q = &p->r.profile;
    q->complete = true;
    q->site = calloc(PLANTED_MOST, sizeof *q->site);
    q->thread = calloc(64, sizeof *q->thread);
    q->node = calloc(PLANTED_MOST + 1, sizeof *q->node);
    planted_process(p, 4242);
    planted_thread(p, 0);
}

/* Its number, from 1 on. */
static inline uint32_t planted_function(struct planted *p, const char *name, const char *module, const char *file, uint32_t line)
{
    struct profile *q = &p->r.profile;
    struct profile_site *s = &q->site[q->sites];
    *s = (struct profile_site){.id = q->sites + 1, .name = strdup(name), .qualname = strdup(name), .line = line};
    s->module = strdup(module);
    s->file = strdup(file);
    return ++q->sites;
}

static inline void planted_link(struct profile *q, uint32_t parent, uint32_t node)
{
    uint32_t *last = &q->node[parent].first_child;
    while (*last)
        last = &q->node[*last].next_sibling;
    *last = node;
    q->node[node].parent = parent;
}

/* A path: after those before it, `depth` deep, 0: it begins the thread. */
static inline void planted_call(struct planted *p, uint32_t depth, uint32_t function, uint64_t calls, uint64_t exclusive, uint64_t cpu)
{
    struct profile *q = &p->r.profile;
    uint32_t node = ++q->nodes;
    p->depth = depth + 1;
    q->node[node] = (struct profile_node){.site = function, .t = {.calls = calls, .primitive_calls = calls}};
    q->node[node].t.exclusive = q->node[node].t.inclusive = q->node[node].t.elapsed = exclusive;
    q->node[node].t.off_exclusive = q->node[node].t.off_inclusive = exclusive - cpu;
    planted_link(q, p->path[depth], node);
    if (!depth)
        q->thread[q->threads - 1].first_root = q->node[p->path[0]].first_child;
    p->path[p->depth] = node;
}

static inline bool planted_recurses(const struct profile *q, uint32_t node)
{
    for (uint32_t i = q->node[node].parent; i; i = q->node[i].parent)
        if (q->node[i].site == q->node[node].site)
            return true;
    return false;
}

/* Inclusive times, and what functions come to. Children stand behind their parents. */
static inline void planted_sum(struct planted *p)
{
    struct profile *q = &p->r.profile;
    for (uint32_t i = q->nodes; i > 0; i--) {
        struct profile_times *t = &q->node[i].t, *up = &q->node[q->node[i].parent].t;
        if (!q->node[i].site)
            continue;
        up->inclusive += t->inclusive;
        up->elapsed += t->elapsed;
        up->off_inclusive += t->off_inclusive;
        metric_add(&q->site[q->node[i].site - 1].t, t, !planted_recurses(q, i));
        q->calls += t->calls;
    }
    for (uint32_t i = 0; i < q->sites; i++) {
        struct profile_site *s = &q->site[i];
        uint64_t mean = s->t.calls ? s->t.inclusive / s->t.calls : 0;
        s->processes = s->t.calls != 0;
        s->spread = (struct profile_spread){.ended = s->t.calls, .min = mean, .max = mean, .p50 = mean, .p95 = mean, .p99 = mean};
    }
}

/* The file, whole; `p` is used up. 0, or -errno. */
static inline int planted_write(struct planted *p, int fd)
{
    struct capture_writer *w;
    planted_sum(p);
    int r = capture_writer_open(&w, fd, capture_zstd, false);
    if (r == 0) {
        r = capture_writer_look(w, &p->r);
        r = r == 0 ? capture_writer_finish(w) : r;
        capture_writer_free(w);
    }
    recording_free(&p->r);
    return r;
}

#endif
