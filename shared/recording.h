/* A recording: what a capture file holds. A profile and all that is needed to understand it where the process is not: whose it
 * is, by which clock, who wanted it, how it was asked for. No I/O. */
#ifndef TSCAP_RECORDING_H
#define TSCAP_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "profile.h"

#define RECORDING_PROCESSES 16384u /* at most in one */

struct recording_process {
    struct segment_header header; /* its identity, its clock and its anchors: what does not change; of a reader's only that */
    struct session_state session;
    uint64_t asof; /* ticks of the look at it */
    uint32_t pid;  /* as who looked knows it; header.pid: as it knows itself */
    uint32_t uid;
    bool alive, apart; /* as of the look; apart: it was in a container */
    bool read;     /* it could be: its calls are in the profile */
    uint32_t consumer; /* number of the one whose calls those are; 0: of none in particular */
    char *command; /* printable; "": not known, or left out */
};

struct recording_consumer {
    uint32_t process; /* index */
    bool seen;        /* its calls are in the profile */
    struct consumer consumer; /* not its page of selected functions; `selected` says what they are */
};

/* What it was made with, in words: "made_by", "system", "machine", "match" ... A key may be there several times. */
struct recording_note {
    char *key, *value;
};

/* The default view, everybody's, or one consumer's: the note "consumer" says which one was asked for. */
enum recording_view { RECORDING_DEFAULT, RECORDING_EVERYTHING, RECORDING_CONSUMER, RECORDING_VIEWS };

struct recording {
    struct recording_process *process; /* the root first; profile_thread.process is an index here */
    uint32_t processes;
    struct recording_consumer *consumer;
    uint32_t consumers;
    struct recording_note *note;
    uint32_t notes;
    struct profile profile;
    struct session_state session; /* of all of them together */
    uint64_t asof;      /* ticks: when the last look at one of them was */
    uint32_t cpu_mode;  /* enum cputime_mode: the weakest */
    bool whole_tree;    /* with the root's descendants */
    uint32_t view;      /* whose calls those in the profile are: enum recording_view */
    bool interval;      /* only what happened from `began` on, not since recording began */
    bool redacted;      /* without command lines and folders of files */
    double ns_per_tick; /* of the root's clock, which all in the profile measure by */
    uint64_t began, ended; /* CLOCK_REALTIME, ns: of what it speaks */
};

void recording_free(struct recording *r);

/* What is known of whoever makes one: its version and what it is called, the system, the processors. */
#define RECORDING_MAKER_NOTES 4
struct recording_maker {
    struct recording_note note[RECORDING_MAKER_NOTES]; /* (borrowed) from below, and `made_by` */
    uint32_t notes;
    char system[256], cpus[16];
};
void recording_maker_fill(struct recording_maker *m, const char *made_by);

/* The consumers of one more process, by its index; those in the slots of the view are seen. 0 or -ENOMEM. */
int recording_add_consumers(struct recording *r, uint32_t process, const struct audiences *a, uint64_t seen);

/* From when on it speaks, by its session, and until when: CLOCK_MONOTONIC, ns. */
void recording_set_span(struct recording *r, const struct clock_scale *scale, uint64_t until);

/* Ticks that its session has lasted, or was looked at. */
uint64_t session_span(const struct session_state *s, uint64_t asof);

/* "app.py" of "/srv/app/app.py". */
const char *recording_redacted_path(const char *path);

#endif
