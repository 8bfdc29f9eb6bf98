#include "own_recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "process.h"
#include "reading.h"
#include "seen_session.h"

#define COMMAND_MAX 4096

struct making {
    struct reading_copy copy;
    const struct own_recording_choice *choice;
    output_use *use;
    void *context; /* of `use` */
    struct audience_view view;
    enum recording_view of;
    struct recording_process process;
    char command[COMMAND_MAX];
    char consumer[16];
    struct recording_maker maker;
    struct recording_note note[RECORDING_MAKER_NOTES + 1];
};

/* ---- whose calls ---- */

/* As `tscap save` does: where nobody of the default view is there, everybody's. */
static void choose_unasked(struct making *m)
{
    const struct snapshot *s = &m->copy.snapshot;
    m->of = RECORDING_DEFAULT;
    m->view = audiences_view_default(&s->audiences);
    if (m->view.slots)
        return;
    m->of = RECORDING_EVERYTHING;
    m->view = s->header.consumer_turn ? audiences_view_everything(&s->audiences) : (struct audience_view){.audiences = NULL};
}

static int choose_view(struct making *m)
{
    if (!m->choice->consumer) {
        choose_unasked(m);
        return 0;
    }
    m->of = RECORDING_CONSUMER;
    return audiences_view(&m->copy.snapshot.audiences, m->choice->consumer, &m->view);
}

static bool is_chosen(const struct own_recording_choice *c, uint32_t tid)
{
    bool chosen = !c->tid;
    for (size_t i = 0; i < c->tids && !chosen; i++)
        chosen = c->tid[i] == tid;
    return chosen;
}

/* The copy's lanes, of which nothing is owned. */
static int make_profile(const struct making *m, struct profile *p)
{
    struct snapshot some = m->copy.snapshot;
    struct profile_source source = {.snapshot = &some, .view = m->view};
    some.lanes = 0;
    some.lane = calloc((size_t)m->copy.snapshot.lanes + 1, sizeof *some.lane);
    if (!some.lane)
        return -ENOMEM;
    for (uint32_t i = 0; i < m->copy.snapshot.lanes; i++)
        if (is_chosen(m->choice, m->copy.snapshot.lane[i].tid))
            some.lane[some.lanes++] = m->copy.snapshot.lane[i];
    int error = profile_make_sum(p, &source, 1);
    free(some.lane);
    return error;
}

/* ---- what is said about it ---- */

static void fill_process(struct making *m)
{
    const struct snapshot *s = &m->copy.snapshot;
    if (process_command(getpid(), m->command, sizeof m->command) < 0)
        m->command[0] = '\0';
    m->process = (struct recording_process){
        .header = s->header,
        .session = s->session,
        .asof = s->asof,
        .pid = (uint32_t)getpid(),
        .uid = (uint32_t)geteuid(),
        .alive = true,
        .read = true,
        .consumer = m->choice->consumer,
        .command = m->command,
    };
}

static void fill_notes(struct making *m, struct recording *r)
{
    recording_maker_fill(&m->maker, "timestamp_capture");
    for (; r->notes < m->maker.notes; r->notes++)
        m->note[r->notes] = m->maker.note[r->notes];
    snprintf(m->consumer, sizeof m->consumer, "%" PRIu32, m->choice->consumer);
    if (m->choice->consumer)
        m->note[r->notes++] = (struct recording_note){"consumer", m->consumer};
    r->note = m->note;
}

static int hand_out(struct making *m, struct recording *r)
{
    const struct snapshot *s = &m->copy.snapshot;
    fill_process(m);
    fill_notes(m, r);
    r->process = &m->process;
    r->processes = 1;
    r->session = m->of == RECORDING_CONSUMER ? seen_session_of_one(&m->view, &s->session) : seen_session(&m->view, &s->session);
    r->asof = s->asof;
    r->cpu_mode = s->header.cpu_mode;
    r->view = m->of;
    r->ns_per_tick = m->copy.scale.ns_per_tick;
    recording_set_span(r, &m->copy.scale, clock_ns(CLOCK_MONOTONIC));
    int error = recording_add_consumers(r, 0, &s->audiences, m->view.audiences ? m->view.slots : 0);
    return error == 0 ? m->use(m->context, r) : error;
}

static int make(void *context)
{
    struct making *m = context;
    struct recording r = {.processes = 0};
    int error = choose_view(m);
    if (error == 0)
        error = make_profile(m, &r.profile);
    if (error < 0)
        return error;
    error = hand_out(m, &r);
    free(r.consumer);
    profile_free(&r.profile);
    return error;
}

int own_recording_take(const void *from, output_use *use, void *context)
{
    struct making *m = calloc(1, sizeof *m);
    if (!m) {
        PyErr_NoMemory();
        return -1;
    }
    m->choice = from;
    m->use = use;
    m->context = context;
    int r = reading_copy(&m->copy, make, m);
    free(m);
    return r;
}
