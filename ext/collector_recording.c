#include "collector_recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector.h"
#include "cputime.h"
#include "idents.h"
#include "interval_spreads.h"
#include "metric.h"
#include "process.h"
#include "reading.h"
#include "recorder.h"
#include "tape_trees.h"

#define COMMAND_MAX 4096

/* Copied with the interpreter's lock, and used without it. */
struct making {
    struct reading_copy copy;
    output_use *use;
    void *context; /* of `use` */
    struct tape tape;
    struct ledger_sum *sum;
    uint32_t sums;
    bool complete;
    struct ident *ident; /* of each thread of the tape; number 0: not known */
    struct session_state session;
    struct recording_consumer consumer;
    struct recording_process process;
    char command[COMMAND_MAX];
    struct recording_maker maker;
};

/* ---- with the lock ---- */

static bool copy_ledger(struct making *m, const struct ledger *l)
{
    m->sums = l->count;
    m->complete = l->complete;
    m->sum = malloc(((size_t)l->count + 1) * sizeof *m->sum);
    m->ident = calloc((size_t)l->tape.threads + 1, sizeof *m->ident);
    if (!m->sum || !m->ident || !tape_copy(&m->tape, &l->tape))
        return false;
    if (l->count)
        memcpy(m->sum, l->sum, l->count * sizeof *m->sum);
    for (uint32_t i = 0; i < l->tape.threads; i++) {
        const struct ident *known = idents_of_thread(l->tape.thread[i].number);
        m->ident[i] = known ? *known : (struct ident){.number = 0};
    }
    return true;
}

static void copy_session(struct making *m, const struct collector *c)
{
    const struct ledger *l = c->ledger;
    const char *name = PyUnicode_AsUTF8(c->name);
    if (!name)
        PyErr_Clear(); /* lone surrogates */
    m->session = (struct session_state){
        .running = c->stay != NULL,
        .started = c->first ? c->first : l->first,
        .stopped = c->stay ? 0 : c->first ? c->end : l->last,
    };
    struct consumer *consumer = &m->consumer.consumer;
    *consumer = (struct consumer){.number = 1, .kind = CONSUMER_COLLECTORS, .began = m->session.started, .ended = m->session.stopped};
    consumer->flags = m->session.running ? CONSUMER_RUNNING : 0;
    snprintf(consumer->name, sizeof consumer->name, "%s", name ? name : "");
    process_printable(consumer->name);
    m->consumer.seen = true;
}

static bool copy_collector(struct making *m, const struct collector *c)
{
    bool ours = c->pid && c->pid == recorder_segment()->pid;
    const struct ledger none = {.complete = true};
    copy_session(m, c);
    return copy_ledger(m, ours ? c->ledger : &none);
}

/* ---- without it ---- */

/* The sites with their names, and nothing that was called. */
static int begin_profile(const struct making *m, struct profile *p)
{
    struct snapshot none = m->copy.snapshot;
    struct profile_source source = {.snapshot = &none};
    none.lanes = 0;
    int error = profile_make_sum(p, &source, 1);
    p->complete = m->complete;
    p->records = p->own = 0;
    return error;
}

static void name_threads(const struct making *m, struct profile *p)
{
    const struct snapshot *s = &m->copy.snapshot;
    for (uint32_t i = 0; i < p->threads; i++) {
        struct profile_thread *t = &p->thread[i];
        const struct ident *known = &m->ident[i];
        snprintf(t->name, sizeof t->name, "thread %u", i + 1);
        for (uint32_t k = 0; k < s->lanes && known->number; k++) {
            const struct lane_copy *l = &s->lane[k];
            if (l->page != known->page || l->generation != known->generation)
                continue;
            t->tid = l->tid;
            t->exited = l->state == LANE_EXITED;
            memcpy(t->name, l->name, sizeof t->name);
        }
    }
}

/* Of a function: what its entries that were dropped had. */
static struct profile_times rest_of(const struct ledger_sum *sum, const struct profile_times *t)
{
    return (struct profile_times){
        .calls = metric_minus(sum->calls, t->calls),
        .inclusive = metric_minus(sum->inclusive, t->inclusive),
        .exclusive = metric_minus(sum->exclusive, t->exclusive),
        .elapsed = metric_minus(sum->elapsed, t->elapsed),
    };
}

static int add_pair(struct profile *p, uint32_t callee, const struct profile_times *rest)
{
    struct profile_pair *pair = realloc(p->pair, ((size_t)p->pairs + 1) * sizeof *pair);
    if (!pair)
        return -ENOMEM;
    p->pair = pair;
    uint32_t at = 0;
    while (at < p->pairs && pair[at].caller == 0 && pair[at].callee < callee)
        at++;
    if (at == p->pairs || pair[at].caller || pair[at].callee != callee) {
        memmove(&pair[at + 1], &pair[at], (p->pairs - at) * sizeof *pair);
        pair[at] = (struct profile_pair){.callee = callee};
        p->pairs++;
    }
    metric_add(&pair[at].t, rest, true);
    return 0;
}

/* What was dropped has no path: a root of the first thread holds it. */
static int add_other(struct profile *p, const struct profile_times *rest)
{
    if (!p->threads || !metric_any(rest))
        return 0;
    struct profile_node *node = realloc(p->node, ((size_t)p->nodes + 2) * sizeof *node);
    if (!node)
        return -ENOMEM;
    p->node = node;
    struct profile_thread *t = &p->thread[0];
    uint32_t i = ++p->nodes, top = t->first_root ? node[t->first_root].parent : 0;
    node[i] = (struct profile_node){.other = true, .t = *rest, .parent = top, .next_sibling = t->first_root};
    node[i].t.inclusive = rest->exclusive;
    t->first_root = i;
    t->roots += rest->exclusive;
    return 0;
}

/* The sums count all calls, the tape the first ones. */
static int add_dropped(const struct making *m, struct profile *p)
{
    struct profile_times all = {.calls = 0};
    int error = 0;
    for (uint32_t i = 0; i < m->sums && error == 0; i++) {
        struct profile_site *site = (struct profile_site *)profile_site(p, m->sum[i].site);
        struct profile_times rest = site ? rest_of(&m->sum[i], &site->t) : all;
        if (!site || !metric_any(&rest))
            continue;
        metric_add(&site->t, &rest, true);
        site->processes = 1;
        metric_add(&all, &rest, true);
        error = add_pair(p, site->id, &rest);
    }
    p->unpathed = all.calls;
    return error == 0 ? add_other(p, &all) : error;
}

/* Shortest and longest are those of all calls; what lies between is known of the kept ones. */
static int set_spreads(const struct making *m, struct profile *p)
{
    const struct profile none = {.complete = true};
    for (uint32_t i = 0; i < m->sums; i++) {
        const struct ledger_sum *sum = &m->sum[i];
        struct profile_site *site = (struct profile_site *)profile_site(p, sum->site);
        if (!site)
            continue;
        site->spread.min = sum->min;
        site->spread.max = sum->max;
        site->spread.elapsed_min = sum->elapsed_min;
        site->spread.elapsed_max = sum->elapsed_max;
    }
    return interval_add_spreads(p, &none);
}

static int make_profile(const struct making *m, struct profile *p)
{
    bool dropped = m->tape.dropped && m->tape.kept;
    uint64_t until = dropped ? m->tape.entry[m->tape.kept - 1].when : m->copy.snapshot.asof;
    int error = begin_profile(m, p);
    if (error < 0)
        return error;
    error = tape_trees_make(p, &m->tape, until);
    if (error == 0 && m->tape.dropped)
        error = add_dropped(m, p);
    if (error == 0)
        error = set_spreads(m, p);
    name_threads(m, p);
    for (uint32_t i = 0; i < p->sites; i++)
        p->calls += p->site[i].t.calls;
    return error;
}

static int hand_out(struct making *m, struct recording *r)
{
    const struct snapshot *s = &m->copy.snapshot;
    recording_maker_fill(&m->maker, "timestamp_capture");
    if (process_command(getpid(), m->command, sizeof m->command) < 0)
        m->command[0] = '\0';
    m->process = (struct recording_process){.header = s->header, .session = m->session, .asof = s->asof, .pid = (uint32_t)getpid(),
                                            .uid = (uint32_t)geteuid(), .alive = true, .read = true, .consumer = 1, .command = m->command};
    r->process = &m->process;
    r->processes = 1;
    r->consumer = &m->consumer;
    r->consumers = 1;
    r->note = m->maker.note;
    r->notes = m->maker.notes;
    r->session = m->session;
    r->asof = s->asof;
    r->cpu_mode = CPUTIME_WALL;
    r->view = RECORDING_CONSUMER;
    r->ns_per_tick = m->copy.scale.ns_per_tick;
    recording_set_span(r, &m->copy.scale, clock_ns(CLOCK_MONOTONIC));
    return m->use(m->context, r);
}

static int make(void *context)
{
    struct making *m = context;
    struct recording r = {.processes = 0};
    tape_sort(&m->tape);
    int error = make_profile(m, &r.profile);
    if (error == 0)
        error = hand_out(m, &r);
    profile_free(&r.profile);
    return error;
}

int collector_recording_take(const void *from, output_use *use, void *context)
{
    struct making *m = calloc(1, sizeof *m);
    int r = -1;
    if (m && copy_collector(m, from)) {
        m->use = use;
        m->context = context;
        r = reading_copy(&m->copy, make, m);
    } else
        PyErr_NoMemory();
    if (m) {
        tape_free(&m->tape);
        free(m->sum);
        free(m->ident);
    }
    free(m);
    return r;
}
