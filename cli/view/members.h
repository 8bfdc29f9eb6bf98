/* Members: a process and its descendants, looked at together. The sum of what they recorded is one capture, as if it were
 * of one process: functions that are the same in several of them are one row. */
#ifndef TSCAP_MEMBERS_H
#define TSCAP_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "family.h"
#include "identities.h"
#include "stray.h"

struct member {
    struct subject subject; /* as of the last look at it */
    struct snapshot snapshot;
    uint32_t *site; /* numbers of its functions: see identities.h */
    bool taken;     /* there is a snapshot: the last one that could be had */
    bool present;   /* it was found when we looked last */
    bool settled;   /* it has ended, and what it left is in the snapshot */
    int error;      /* 0, or why it could not be looked at then */
};

struct members {
    const struct places *places; /* (borrowed) */
    pid_t pid; /* of the root */
    uint64_t start_time;
    struct member **member; /* the root first; its index is the number of a member's threads in a profile */
    size_t count, room;
    struct identities identities;
    uint32_t breaks;   /* looks at which some member had begun anew: differences across them are none */
    uint64_t missing;  /* children of which nothing is there */
    struct strays strays; /* descendants that cannot be told to record */
    uint64_t nameless; /* functions beyond IDENTITIES_MAX */
};

void members_begin(struct members *m, const struct places *places, const struct subject *root);
void members_free(struct members *m);

/* Finds and looks at all there are. Of those that are gone the last look stays. `c` is of the root: 0 or -errno, as
 * capture_try(). */
int members_look(struct members *m, struct capture *c);

/* Who is there now. 0, -ENOENT: the root is not, -ENOMEM; both to be freed in any case, the family first. */
int members_family(const struct members *m, struct subjects *all, struct family *f);

/* Those that live; of them, those that record. */
void members_count(const struct members *m, size_t *alive, size_t *recording);

/* In words, as subject_state(): of the root if all are alike, else how many record. */
void members_state(const struct members *m, char *buffer, size_t size);

#endif
