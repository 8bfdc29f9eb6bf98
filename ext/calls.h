/* The open calls of a thread: the stack that says what is on its lane's, and of whom. Calls are opened, ended, suspended and
 * resumed here and nowhere else; a generator's own record is activations.h's. */
#ifndef TSCAP_CALLS_H
#define TSCAP_CALLS_H

#include "python.h"

#include <stdbool.h>

#include "thread.h"

bool calls_more_room(struct thread *t); /* false: no memory; counted */

static inline uint32_t calls_site(const struct thread *t, uint32_t depth) { return (uint32_t)t->open[depth].what; }

/* Notes what will be at the next depth. */
static inline bool calls_open(struct thread *t, const void *id, uint32_t site, uint64_t flags)
{
    uint32_t depth = t->writer->depth + 1;
    if (__builtin_expect(depth >= t->room, 0) && !calls_more_room(t))
        return false;
    t->open[depth] = (struct open_call){.id = id, .what = site | flags};
    return true;
}

/* Takes entries that ended out of order off the top. */
void calls_drop_ended_slow(struct thread *t);
static inline void calls_drop_ended(struct thread *t)
{
    if (__builtin_expect(t->ended, 0))
        calls_drop_ended_slow(t);
}

/* What begins and ends where collectors may be about: the record, and the accounts. */
static inline void calls_began(struct thread *t, bool counts)
{
    if (t->chain)
        account_begin(t, t->chain, counts);
}
static inline void calls_exit(struct thread *t, uint32_t site, unsigned flags)
{
    uint32_t depth = t->writer->depth;
    writer_exit(t->writer, site, flags);
    account_end(t, depth, flags & RECORD_RAISED ? ACCOUNT_RAISES : ACCOUNT_RETURNS);
}
static inline void calls_yield(struct thread *t, uint32_t site)
{
    uint32_t depth = t->writer->depth;
    writer_suspend(t->writer, site);
    account_end(t, depth, ACCOUNT_WAITS);
}

/* A call that waits because what it runs on is left: its task, or its stack. */
struct waiting_call {
    struct open_call call;
    uint64_t key;              /* by which it is resumed */
    struct chain *chain;       /* kept; NULL: no collector encloses it */
    struct waiting_call *next; /* for who keeps several */
};

/* The call on top waits; and goes on, on top of what is open now. False: no room, it has been given up. */
void calls_suspend(struct thread *t, struct waiting_call *w);
bool calls_resume(struct thread *t, const struct waiting_call *w);
void calls_give_up(const struct waiting_call *w); /* it is never resumed */

/* A block within a collector, which may be suspended with it. */
bool calls_is_keyed(const struct thread *t, uint32_t depth);
uint64_t calls_new_key(void);

/* Within t->chain. `recursion`: 0, OPEN_INNER or OPEN_APART. */
void calls_block_enter(struct thread *t, const void *id, uint32_t site, uint64_t recursion);
void calls_block_exit(struct thread *t, const void *id, bool raised);

uint32_t calls_depth_of(const struct thread *t, const void *id); /* 0: it is not open */
void calls_leave(struct thread *t, uint32_t depth, bool raised); /* it ends when those above have */
void calls_mark_left(struct open_call *c, bool raised);          /* the same for one that waits */

void calls_cut(struct thread *t); /* what is open now is not any more */

#endif
