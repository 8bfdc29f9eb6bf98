/* Sources: what looks are taken of: a process or a segment file, alone or with the process' descendants, or a capture file. The sum of what its
 * members recorded is one capture, as if it were of one process: functions that are the same in several of them are one row. */
#ifndef TSCAP_SOURCE_H
#define TSCAP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "choice.h"
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
    struct audience_view view; /* what of it is shown */
    uint32_t consumer;         /* number of the one whose view that is; 0: of none in particular */
    int misfit;                /* 0, or why there is no such consumer: see choice_find() */
    struct view held; /* if `holds`: its segment, that can be read although it was removed */
    bool holds;
};

struct source {
    struct group group;
    struct member **member; /* the root first; its index is the number of a member's threads in a profile */
    size_t count, room;
    struct identities identities;
    uint32_t breaks;   /* looks at which some member, or what is shown of it, had begun anew: differences across them are none */
    struct choice choice;  /* what was asked for */
    enum choice_of shown;  /* what that has come to */
    bool found;            /* the consumer that was asked for, in some member */
    uint64_t missing;  /* children of which nothing is there */
    struct strays strays; /* descendants that cannot be told to record */
    struct view opened;    /* of the root, for the first look, */
    bool is_open;          /* if it is open already */
    uint64_t nameless; /* functions beyond IDENTITIES_MAX */
    bool holds;        /* see source_hold() */
    struct recording *recording; /* of a capture file: see recorded.h. NULL: it is none */
    bool looked_at;              /* its profile has gone to a capture */
};

/* EXIT_OK, or an exit code after a message; to be freed in any case. */
int source_open(struct source *s, const struct places *places, const struct subject *root, bool whole_tree, const struct choice *choice);
void source_free(struct source *s);

/* The first look is at this view of the root, which has just been opened; it is the source's from now on. */
void source_begin_with(struct source *s, const struct view *v);

static inline struct subject *source_root(const struct source *s) { return &s->member[0]->subject; }

/* Looks at all there are: the root is then as it is now, whatever comes of it, and so are descendants. Of those that are gone
 * the last look stays. 0 or -errno, as `error` of a subject; prints nothing. */
int source_look(struct source *s, struct capture *c);

/* The same: EXIT_OK, or an exit code after a message. */
int source_take(struct source *s, struct capture *c);

/* From now on segments stay open, so that the look after a process has ended has all that it recorded, though it took its
 * segment along. */
static inline void source_hold(struct source *s) { s->holds = true; }

/* Those that live; of them, those that record. */
void source_count(const struct source *s, size_t *alive, size_t *recording);

/* Whose calls are shown, in words. */
void source_name_view(const struct source *s, char *buffer, size_t size);

/* Are there others, or was it asked for? Else it need not be named. */
bool source_has_other_views(const struct source *s);

/* In words, as subject_state(): of the root if all are alike, else how many record. */
void source_state(const struct source *s, char *buffer, size_t size);

#endif
