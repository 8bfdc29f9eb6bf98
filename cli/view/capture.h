/* One look at a segment: snapshot, profile, and how its ticks become nanoseconds. */
#ifndef TSCAP_CAPTURE_H
#define TSCAP_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "profile.h"
#include "snapshot.h"
#include "subject.h"

struct source;

struct capture {
    const struct subject *subject; /* (borrowed) */
    const struct source *source;   /* (borrowed) of which it was taken, see there; `subject` is its root */
    bool whole_tree;                   /* with the subject's descendants */
    struct snapshot snapshot;
    struct profile profile;
    struct clock_scale scale;
    bool same_boot;
    bool cpu;        /* there is CPU time */
    uint64_t taken;  /* CLOCK_MONOTONIC, ns */
    uint32_t breaks; /* of its source: another number in a later capture, another recording */
    uint64_t total;  /* ticks: exclusive times of all functions */
};

void capture_free(struct capture *c);

/* What follows from its profile and its snapshot. */
void capture_ready(struct capture *c);
/* The same, of a capture that knows its scale. */
void capture_sum(struct capture *c);

/* Which process a thread is of, by the number that it has in the profile. */
const struct subject *capture_process(const struct capture *c, uint32_t number);

/* Of the same recording, so that what came since `before` is the difference: no reset in between, nor another program in
 * the same process (exec). */
bool capture_continues(const struct capture *now, const struct capture *before);

/* Shall the next difference be to `now`? Not when some thread's data are missing from it: they would count as new. */
bool capture_replaces(const struct capture *now, const struct capture *before);

/* The profile that is to be subtracted from `now`; NULL: none, for there is none before (NULL) of the same recording. */
const struct profile *capture_earlier(const struct capture *now, const struct capture *before);

/* Seconds that lie between two looks; without an earlier one of the same recording: those since it began. */
double capture_seconds(const struct capture *now, const struct capture *before);

/* Where the data begin and, if nobody records, end: ticks. */
uint64_t capture_span(const struct capture *c);

static inline uint64_t capture_ns(const struct capture *c, uint64_t ticks) { return clock_scale_duration(&c->scale, ticks); }

/* What recording cost the target: ticks it took itself, and calls times the measured cost of a call. */
double capture_cost_ns(const struct capture *c, uint64_t calls, uint64_t own);

/* EXIT_OK, or EXIT_LOSS after a message: more was lost than `allowed`, or the profile is incomplete. */
int capture_check_loss(const struct capture *c, uint64_t allowed);

#endif
