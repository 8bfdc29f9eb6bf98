#include "capture.h"

#include <errno.h>
#include <inttypes.h>

#include "cputime.h"
#include "message.h"
#include "pids.h"
#include "recording.h"
#include "scale.h"
#include "source.h"

static void choose_scale(struct capture *c)
{
    const struct segment_header *h = &c->snapshot.header;
    c->scale = scale_of_segment(h);
    c->same_boot = scale_same_boot(h);
}

void capture_sum(struct capture *c)
{
    for (uint32_t i = 0; i < c->profile.sites; i++)
        c->total += c->profile.site[i].t.exclusive;
    c->cpu = c->snapshot.header.cpu_mode != CPUTIME_WALL;
}

void capture_ready(struct capture *c)
{
    choose_scale(c);
    capture_sum(c);
}

void capture_free(struct capture *c)
{
    profile_free(&c->profile);
    snapshot_free(&c->snapshot);
}

const struct subject *capture_process(const struct capture *c, uint32_t number)
{
    return &c->source->member[number]->subject;
}

bool capture_continues(const struct capture *now, const struct capture *before)
{
    return now->breaks == before->breaks;
}

bool capture_replaces(const struct capture *now, const struct capture *before)
{
    return now->profile.complete || !before->profile.complete || !capture_continues(now, before);
}

const struct profile *capture_earlier(const struct capture *now, const struct capture *before)
{
    return before && capture_continues(now, before) ? &before->profile : NULL;
}

uint64_t capture_span(const struct capture *c)
{
    return session_span(&c->snapshot.session, c->snapshot.asof);
}

/* A recording that was forgotten, or is another's, between two looks is not older than the first of them. */
double capture_seconds(const struct capture *now, const struct capture *before)
{
    double recorded = (double)capture_ns(now, capture_span(now)) / 1e9;
    double between = before ? (double)(now->taken - before->taken) / 1e9 : 0;
    if (before && capture_continues(now, before))
        return between;
    return before && (between < recorded || recorded <= 0) ? between : recorded;
}

double capture_cost_ns(const struct capture *c, uint64_t calls, uint64_t own)
{
    return (double)calls * (double)c->profile.call_cost / 1000 + (double)own * c->scale.ns_per_tick;
}

#define NOT_COMPLETE "the profile is incomplete\n"

/* The first of them is in the remedy: each has to be attached to. */
static int tell_strays(const struct strays *s)
{
    char names[PIDS_TEXT];
    pids_write(s->pid, s->count, names, sizeof names);
    return fail(EXIT_LOSS,
                NOT_COMPLETE
                "nothing is recorded of %s: " STRAY_CAUSE "\n"
                "tscap attach %d",
                names, (int)s->pid[0]);
}

static bool is_short(const struct capture *c)
{
    bool any = false;
    for (size_t i = 0; i < c->source->count; i++)
        any |= audience_view_is_short(&c->source->member[i]->view);
    return any;
}

static int tell_lack_of_data(const struct capture *c)
{
    if (is_short(c))
        return fail(EXIT_LOSS,
                    NOT_COMPLETE
                    "calls are missing that a consumer should see: more wanted records at a time than can be told apart\n"
                    "tscap status %d, which says of whom",
                    (int)c->subject->pid);
    return fail(EXIT_LOSS,
                NOT_COMPLETE
                "a thread was too busy to be copied in time, or the segment is damaged\n"
                SAME_AGAIN);
}

static int tell_gap(const struct capture *c, enum profile_gap gap)
{
    const struct profile *p = &c->profile;
    int pid = (int)c->subject->pid;
    switch (gap) {
    case PROFILE_WHOLE:
        return EXIT_OK;
    case PROFILE_LACKS_PROCESSES:
        if (c->source->recording)
            return fail(EXIT_LOSS,
                        NOT_COMPLETE
                        "%" PRIu64 " subprocesses recorded, and nothing of that was left when the file was made\n"
                        "tscap status %s, which tells how each process was",
                        p->lost_processes, c->subject->where);
        return fail(EXIT_LOSS,
                    NOT_COMPLETE
                    "%" PRIu64 " subprocesses recorded, and nothing of that is left: it was removed, they were detached from, or there was no room\n"
                    "tscap reset -s %d",
                    p->lost_processes, pid);
    case PROFILE_LACKS_OTHER_CLOCK:
        return fail(EXIT_LOSS,
                    NOT_COMPLETE
                    "%" PRIu64 " subprocesses measure by another clock than process %d (TSCAP_CLOCK)\n"
                    "the same TSCAP_CLOCK for all, or tscap dump for each",
                    p->other_clock, pid);
    case PROFILE_LACKS_SITES:
        return fail(EXIT_LOSS,
                    NOT_COMPLETE
                    "%" PRIu64 " functions or blocks have no number, for there was no room for their names: their calls are missing\n"
                    "tscap status %d, which says what was refused",
                    p->lost_sites, pid);
    case PROFILE_LACKS_INTERPRETERS:
        return fail(EXIT_LOSS,
                    NOT_COMPLETE
                    "%" PRIu64 " interpreters besides the main one are or were in process %d: only the main one is recorded\n"
                    "tscap stack %d, which shows where they are",
                    p->lost_interpreters, pid, pid);
    case PROFILE_LACKS_DATA:
        return tell_lack_of_data(c);
    case PROFILE_LACKS_WAITS:
        return fail(EXIT_LOSS,
                    NOT_COMPLETE
                    "%" PRIu64 " waits of generators or coroutines found no memory: which of them are open, and how long they took, is not known\n"
                    "TSCAP_MEMORY, the limit in MiB, when the program is started",
                    p->lost_waits);
    }
    return EXIT_LOSS;
}

int capture_check_loss(const struct capture *c, uint64_t allowed)
{
    const struct profile *p = &c->profile;
    enum profile_gap gap = profile_gap(p);
    if (c->source->strays.count)
        return tell_strays(&c->source->strays);
    if (gap != PROFILE_WHOLE)
        return tell_gap(c, gap);
    if (p->lost > allowed)
        return fail(EXIT_LOSS,
                    "%" PRIu64 " calls were lost, %" PRIu64 " are allowed\n"
                    "there was no memory for them: `tscap status` says what was refused\n"
                    SAME_AGAIN " --max-loss %" PRIu64,
                    p->lost, allowed, p->lost);
    return EXIT_OK;
}
