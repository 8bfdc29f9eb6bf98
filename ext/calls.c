#include "calls.h"

#include <stdlib.h>

#include "activations.h"
#include "recorder.h"

bool calls_more_room(struct thread *t)
{
    struct open_call *more = realloc(t->open, 2 * t->room * sizeof *more);
    if (!more) {
        recorder_count_call_lost();
        return false;
    }
    t->open = more;
    t->room *= 2;
    return true;
}

/* Of the record that ends it. */
static unsigned flags_of(uint64_t what, bool raised) { return (raised ? RECORD_RAISED : 0u) | (what & OPEN_APART ? RECORD_APART : 0u); }

/* Ended out of order, or a collector that was left meanwhile. */
static bool drop_top(struct thread *t)
{
    uint32_t depth = t->writer->depth;
    uint64_t what = depth ? t->open[depth].what : 0;
    if (what & OPEN_ENDED) {
        writer_drop(t->writer);
        account_drop(t, depth);
    } else if (what & OPEN_LEFT) {
        calls_exit(t, (uint32_t)what, flags_of(what, what & OPEN_LEFT_RAISED));
    } else {
        return false;
    }
    t->ended--;
    return true;
}

void calls_drop_ended_slow(struct thread *t)
{
    while (drop_top(t))
        ;
    thread_set_usual(t);
}

/* The collector's object, or block's, may be gone before its entry is. */
void calls_mark_left(struct open_call *c, bool raised)
{
    c->what |= OPEN_LEFT | (raised ? OPEN_LEFT_RAISED : 0);
    c->id = NULL;
}

void calls_leave(struct thread *t, uint32_t depth, bool raised)
{
    calls_mark_left(&t->open[depth], raised);
    t->ended++;
    calls_drop_ended(t);
}

uint32_t calls_depth_of(const struct thread *t, const void *id)
{
    uint32_t depth = t->writer->depth;
    while (depth && t->open[depth].id != id)
        depth--;
    return depth;
}

void calls_cut(struct thread *t)
{
    account_cut(t);
    writer_cut_now(t->writer);
    t->ended = 0;
    thread_set_usual(t);
}

/* Never that of memory, so it is nobody else's. */
uint64_t calls_new_key(void)
{
    static uint64_t last;
    return 1ull << 60 | ++last << 3;
}

/* ---- calls that wait ---- */

bool calls_is_keyed(const struct thread *t, uint32_t depth) { return account_chain(t, depth) && t->accounts.at[depth].key; }

/* The key by which the entry on top of the ring knows it; 0: none. */
static uint64_t key_of_top(const struct thread *t)
{
    const struct open_call *c = &t->open[t->writer->depth];
    if (c->what & OPEN_COLLECTOR)
        return ((const struct stay *)c->id)->key;
    if (c->what & OPEN_KEYED)
        return python_generator_key(c->id);
    return calls_is_keyed(t, t->writer->depth) ? t->accounts.at[t->writer->depth].key : 0;
}

void calls_suspend(struct thread *t, struct waiting_call *w)
{
    uint32_t depth = t->writer->depth;
    uint64_t key = key_of_top(t);
    *w = (struct waiting_call){.call = t->open[depth], .key = key ? key : calls_new_key(), .chain = chain_keep(account_chain(t, depth))};
    if (key)
        writer_suspend(t->writer, calls_site(t, depth));
    else
        writer_put_aside(t->writer, calls_site(t, depth), w->key);
    if (w->call.what & OPEN_KEYED)
        activation_steps_aside(t, key);
    account_end(t, depth, ACCOUNT_WAITS);
}

/* A block that comes back may find one of another task below. */
static uint64_t flags_on_return(const struct thread *t, uint64_t what)
{
    uint64_t flags = what & ~(uint64_t)UINT32_MAX;
    if ((flags & (OPEN_BLOCK | OPEN_COLLECTOR | OPEN_INNER | OPEN_APART)) != OPEN_BLOCK)
        return flags;
    for (uint32_t depth = t->writer->depth; depth; depth--)
        if (calls_site(t, depth) == (uint32_t)what && t->open[depth].what & OPEN_BLOCK)
            return flags | OPEN_APART;
    return flags;
}

bool calls_resume(struct thread *t, const struct waiting_call *w)
{
    uint64_t flags = flags_on_return(t, w->call.what);
    if (!calls_open(t, w->call.id, (uint32_t)w->call.what, flags)) {
        calls_give_up(w);
        return false;
    }
    writer_resume(t->writer, (uint32_t)w->call.what, w->key);
    if (flags & OPEN_KEYED)
        activation_comes_back(t, w->key);
    struct account *a = w->chain ? account_begin(t, w->chain, false) : NULL;
    if (a && flags & OPEN_BLOCK && !(flags & OPEN_COLLECTOR))
        a->key = w->key;
    chain_drop(w->chain);
    t->ended += (flags & OPEN_LEFT) != 0;
    return true;
}

void calls_give_up(const struct waiting_call *w)
{
    chain_incomplete(w->chain);
    chain_drop(w->chain);
}

/* ---- blocks ---- */

/* A block within a collector may have to wait with it; others stay where they are. */
void calls_block_enter(struct thread *t, const void *id, uint32_t site, uint64_t recursion)
{
    if (!calls_open(t, id, site, OPEN_BLOCK | recursion))
        return;
    if (!t->chain) {
        writer_enter(t->writer, site);
        return;
    }
    uint64_t key = calls_new_key();
    writer_enter_keyed(t->writer, site, key);
    struct account *a = account_begin(t, t->chain, true);
    if (a)
        a->key = key;
}

/* A block that can be suspended and resumed in one go. */
static bool can_step_aside(const struct thread *t, uint32_t depth)
{
    uint64_t flags = t->open[depth].what & ~(uint64_t)UINT32_MAX;
    return calls_is_keyed(t, depth) && (flags & ~(OPEN_INNER | OPEN_APART)) == OPEN_BLOCK;
}

/* Ends the block at `depth` now: those above, of tasks that wait, are suspended for a moment. False: they cannot be. */
static bool step_aside(struct thread *t, uint32_t depth, unsigned flags)
{
    uint32_t above = t->writer->depth - depth;
    bool can = true;
    for (uint32_t i = 1; i <= above && can; i++)
        can = can_step_aside(t, depth + i);
    struct waiting_call *aside = can ? malloc(above * sizeof *aside) : NULL;
    if (!aside)
        return false;
    for (uint32_t i = above; i-- > 0;)
        calls_suspend(t, &aside[i]);
    calls_exit(t, calls_site(t, depth), flags);
    calls_drop_ended(t);
    for (uint32_t i = 0; i < above; i++)
        calls_resume(t, &aside[i]);
    free(aside);
    return true;
}

void calls_block_exit(struct thread *t, const void *id, bool raised)
{
    uint32_t top = t->writer->depth, depth = calls_depth_of(t, id);
    if (!depth || t->open[depth].what & OPEN_ENDED)
        return; /* entered before recording began */
    unsigned flags = flags_of(t->open[depth].what, raised);
    if (depth == top) {
        calls_exit(t, calls_site(t, depth), flags);
        calls_drop_ended(t);
        return;
    }
    if (!calls_is_keyed(t, depth)) {
        writer_exit_below(t->writer, calls_site(t, depth), depth, flags);
        account_end_below(t, depth, raised ? ACCOUNT_RAISES : ACCOUNT_RETURNS);
        t->open[depth].what |= OPEN_ENDED;
        t->ended++;
        thread_set_usual(t);
    } else if (!step_aside(t, depth, flags)) {
        calls_leave(t, depth, raised);
    }
}
