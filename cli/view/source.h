/* Sources: what looks are taken of: a process or a segment file, alone or with the process' descendants. The sum of what its
 * members recorded is one capture, as if it were of one process: functions that are the same in several of them are one row. */
#ifndef TSCAP_SOURCE_H
#define TSCAP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "group.h"
#include "identities.h"
#include "stray.h"

struct member {
    struct subject subject; /* as of the last look at it */
    struct snapshot snapshot;
    uint32_t *site; /* numbers of its functions: see identities.h. NULL: their own, it is the only one */
    bool taken;     /* there is a snapshot: the last one that could be had */
    bool present;   /* it was found when we looked last */
    bool settled;   /* it has ended, and what it left is in the snapshot */
    int error;      /* 0, or why it could not be looked at then */
};

struct source {
    struct group group;
    struct member **member; /* the root first; its index is the number of a member's threads in a profile */
    size_t count, room;
    struct identities identities;
    uint32_t breaks;   /* looks at which some member had begun anew: differences across them are none */
    uint64_t missing;  /* children of which nothing is there */
    struct strays strays; /* descendants that cannot be told to record */
    uint64_t nameless; /* functions beyond IDENTITIES_MAX */
};

/* EXIT_OK, or an exit code after a message; to be freed in any case. */
int source_open(struct source *s, const struct places *places, const struct subject *root, bool family);
void source_free(struct source *s);

static inline struct subject *source_root(const struct source *s) { return &s->member[0]->subject; }

/* Looks at all there are: the root is then as it is now, whatever comes of it, and so are descendants. Of those that are gone
 * the last look stays. 0 or -errno, as `error` of a subject; prints nothing. */
int source_look(struct source *s, struct capture *c);

/* The same: EXIT_OK, or an exit code after a message. */
int source_take(struct source *s, struct capture *c);

/* Those that live; of them, those that record. */
void source_count(const struct source *s, size_t *alive, size_t *recording);

/* In words, as subject_state(): of the root if all are alike, else how many record. */
void source_state(const struct source *s, char *buffer, size_t size);

#endif
