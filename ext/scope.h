/* Which collectors enclose what a frame calls: the frame is one that entered a collector or holds one in a local variable
 * named _timestamp_collector_, or was called by one, at whatever distance.
 *
 * The interpreter's frames are walked outwards, up to the innermost recorded call (whose collectors are known) or to a
 * frame that entered a collector and cannot have been suspended since (what encloses that one has not changed). Frames
 * of other tasks are not on the stack, so theirs do not enclose; in the thread's stack of open calls they are suspended
 * until they do again, like generators. */
#ifndef TSCAP_SCOPE_H
#define TSCAP_SCOPE_H

#include "python.h"

#include <stdbool.h>
#include <sys/types.h>

#include "ledger.h"

struct thread;
struct waiting_block;
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
    uint32_t epoch;           /* in which it has one */
    bool waits;               /* its entry is suspended, and: */
    struct waiting_block *blocks; /* blocks within it, outermost first */
};

struct hosts {
    struct stay **bucket; /* by host; newest first */
    uint32_t mask, count;
    uint32_t ended; /* scope_ended when stays that ended elsewhere were last taken out */
};

#pragma GCC visibility push(hidden)
extern uint32_t scope_latent; /* collectors that were never entered: only the variable's name tells whom they enclose */
#pragma GCC visibility pop

int scope_init(void); /* 0, or -1 with an exception */

/* The chain of what `frame` calls, borrowed; NULL: none. The stack of open calls is brought in line. */
struct chain *scope_resolve(struct thread *t, const python_frame *frame);

/* The stay that this frame entered last, or NULL. */
const struct stay *scope_entered_by(const struct thread *t, const python_frame *frame);

bool scope_add(struct thread *t, struct stay *s); /* false: no memory */
void scope_remove(struct thread *t, struct stay *s);
void scope_ended_elsewhere(struct stay *s); /* its thread lets go of it, if it still lives; `s` is not the caller's any more */
void scope_free(struct hosts *h);

/* The stay's entry on the thread's stack: made, and ended (it may have to wait for calls above it). */
void scope_push(struct thread *t, struct stay *s);
void scope_pop(struct thread *t, struct stay *s, bool raised);

void scope_suspend_top(struct thread *t); /* the entry on top: a collector's, or a block's */

uint64_t scope_new_key(void);

#endif
