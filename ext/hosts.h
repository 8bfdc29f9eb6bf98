/* Hosts: the frames of a thread that entered collectors, each with its stays. */
#ifndef TSCAP_HOSTS_H
#define TSCAP_HOSTS_H

#include "python.h"

#include <stdbool.h>
#include <sys/types.h>

#include "ledger.h"

struct thread;
struct waiting_call;
struct manual;

/* One stay inside a collector, which may be entered again while it is. */
struct stay {
    const python_frame *host; /* the frame that entered; NULL: the stay has ended elsewhere */
    PyCodeObject *code;       /* what that frame ran: its memory may be another's by now. Owned */
    bool plain;               /* that frame cannot be suspended */
    struct stay *next;        /* in the thread's table of hosts */
    struct stay *outer;       /* of the same collector */
    struct chain *around;     /* kept: what enclosed the frame when it entered, or NULL */
    struct chain *chain;      /* kept: the collector within `around` */
    PyObject *collector;      /* borrowed */
    struct ledger *ledger;    /* the collector's */
    struct manual *manual;    /* what it was told by name to begin, innermost first */
    uint64_t thread;          /* number of the thread it is on */
    pid_t pid;                /* a forked child inherits the stay, not the recording */
    uint32_t site;
    uint64_t key;             /* of its entry in the ring */
    uint64_t epoch;           /* in whose era it has one */
    bool waits;               /* its entry is suspended, and: */
    struct waiting_call *blocks; /* blocks within it, outermost first */
};

struct hosts {
    struct stay **bucket; /* by host; newest first */
    uint32_t mask, count;
    uint32_t ended; /* how many stays had ended elsewhere when those were last taken out */
};

bool hosts_add(struct thread *t, struct stay *s); /* false: no memory */
void hosts_remove(struct thread *t, struct stay *s);
void hosts_ended_elsewhere(struct stay *s); /* its thread lets go of it, if it still lives; `s` is not the caller's any more */
struct stay *hosts_take_ended(struct hosts *h); /* those that did, taken out, by `next` */
void hosts_free_stay(struct stay *s);

/* The newest of the stays among which are those of this frame; NULL: it has none. */
struct stay *hosts_of(const struct hosts *h, const python_frame *frame);

/* The stay that this frame entered last, or NULL. */
const struct stay *hosts_entered_by(const struct hosts *h, const python_frame *frame);

void hosts_free(struct hosts *h); /* without the interpreter's lock */

#endif
