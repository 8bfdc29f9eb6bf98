/* What the threads of lane_stress do: one period of calls, made once from a seed, over and over. What a reader must find
 * after `position` operations follows from that number alone.
 *
 *   position      0    1    2    3    4       5 = period     6
 *   operation   ENTER ENTER EXIT EXIT SUSPEND ...          ENTER
 *   path          a    a/b  a/b   a    ...                   a       each adds to the sums of one path or two */
#ifndef TSCAP_TESTS_SCRIPT_H
#define TSCAP_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "../support/random.h"
#include "lanes.h"

#define SCRIPT_SITES 40u
#define SCRIPT_LENGTH 1200u /* operations before what is open then is ended */
#define SCRIPT_OPERATIONS 2000u
#define SCRIPT_PATHS 1500u
#define SCRIPT_DEPTH 130u /* three pages of a lane's stack */
#define SCRIPT_WAITING 8u

enum script_kind {
    SCRIPT_ENTER,
    SCRIPT_ENTER_KEYED,
    SCRIPT_EXIT,
    SCRIPT_SUSPEND,
    SCRIPT_RESUME,
    SCRIPT_EXIT_BELOW,
    SCRIPT_DROP,
    SCRIPT_CUT, /* recording stops and starts again */
};

struct script_sums {
    int64_t calls, open, raised, suspended;
};

struct script_effect {
    uint32_t path;
    struct script_sums sums;
};

struct script_operation {
    enum script_kind kind;
    uint32_t site, depth;
    uint64_t key;
    unsigned flags;
    struct script_effect effect[2];
};

struct script_call {
    uint32_t path, site;
    uint64_t key; /* 0: not keyed */
    bool ended;   /* under later calls */
};

struct script {
    struct script_operation operation[SCRIPT_OPERATIONS];
    uint32_t period;
    struct {
        uint32_t parent, site;
    } path[SCRIPT_PATHS]; /* [1 .. paths - 1]; 0: the root */
    uint32_t paths;
    struct script_sums period_sums[SCRIPT_PATHS];
    /* while it is made */
    struct random random;
    struct script_call stack[SCRIPT_DEPTH + 1]; /* [1 .. depth] */
    uint32_t depth;
    struct script_call waiting[SCRIPT_WAITING];
    uint32_t waits;
    uint64_t keys;
};

/* ---- sums ---- */

static inline void script_add(struct script_sums *to, const struct script_sums *s, int64_t times)
{
    to->calls += times * s->calls;
    to->open += times * s->open;
    to->raised += times * s->raised;
    to->suspended += times * s->suspended;
}

/* Adds to `sums`, one for each path, what `position` operations leave. */
static inline void script_expect(const struct script *s, struct script_sums *sums, uint64_t position)
{
    for (uint32_t p = 0; p < s->paths; p++)
        script_add(&sums[p], &s->period_sums[p], (int64_t)(position / s->period));
    for (uint32_t i = 0; i < position % s->period; i++)
        for (int k = 0; k < 2; k++)
            script_add(&sums[s->operation[i].effect[k].path], &s->operation[i].effect[k].sums, 1);
}

/* UINT32_MAX: none. */
static inline uint32_t script_find_path(const struct script *s, uint32_t parent, uint32_t site)
{
    for (uint32_t p = 1; p < s->paths; p++)
        if (s->path[p].parent == parent && s->path[p].site == site)
            return p;
    return UINT32_MAX;
}

/* ---- making it ---- */

static inline uint32_t script_path(struct script *s, uint32_t site)
{
    uint32_t parent = s->depth ? s->stack[s->depth].path : 0, found = script_find_path(s, parent, site);
    if (found != UINT32_MAX)
        return found;
    if (s->paths == SCRIPT_PATHS)
        abort();
    s->path[s->paths].parent = parent;
    s->path[s->paths].site = site;
    return s->paths++;
}

static inline struct script_operation *script_append(struct script *s, enum script_kind kind)
{
    if (s->period == SCRIPT_OPERATIONS)
        abort();
    struct script_operation *o = &s->operation[s->period++];
    o->kind = kind;
    return o;
}

static inline void script_push(struct script *s, struct script_call call) { s->stack[++s->depth] = call; }

static inline void script_enter(struct script *s, uint32_t site, bool keyed)
{
    struct script_operation *o = script_append(s, keyed ? SCRIPT_ENTER_KEYED : SCRIPT_ENTER);
    struct script_call call = {.path = script_path(s, site), .site = site, .key = keyed ? ++s->keys * 64 : 0};
    o->site = site;
    o->key = call.key;
    o->effect[0] = (struct script_effect){call.path, {.calls = 1, .open = 1}};
    script_push(s, call);
}

static inline void script_exit(struct script *s)
{
    const struct script_call *top = &s->stack[s->depth];
    struct script_operation *o = script_append(s, top->ended ? SCRIPT_DROP : SCRIPT_EXIT);
    o->site = top->site;
    if (!top->ended) {
        o->flags = random_chance(&s->random, 10) ? RECORD_RAISED : 0;
        o->effect[0] = (struct script_effect){top->path, {.open = -1, .raised = o->flags != 0}};
    }
    s->depth--;
}

static inline void script_suspend(struct script *s)
{
    const struct script_call *top = &s->stack[s->depth--];
    struct script_operation *o = script_append(s, SCRIPT_SUSPEND);
    o->site = top->site;
    o->effect[0] = (struct script_effect){top->path, {.suspended = 1}};
    s->waiting[s->waits++] = *top;
}

static inline void script_resume(struct script *s, uint32_t which)
{
    struct script_call call = s->waiting[which];
    struct script_operation *o = script_append(s, SCRIPT_RESUME);
    s->waiting[which] = s->waiting[--s->waits];
    o->site = call.site;
    o->key = call.key;
    o->effect[0] = (struct script_effect){call.path, {.open = -1, .suspended = -1}};
    call.path = script_path(s, call.site);
    o->effect[1] = (struct script_effect){call.path, {.open = 1}};
    script_push(s, call);
}

/* The innermost plain call under the top one, if there is one just below. */
static inline void script_exit_below(struct script *s)
{
    if (s->depth < 2)
        return;
    uint32_t depth = s->depth - 1;
    struct script_call *call = &s->stack[depth];
    if (call->key || call->ended)
        return;
    struct script_operation *o = script_append(s, SCRIPT_EXIT_BELOW);
    o->site = call->site;
    o->depth = depth;
    o->effect[0] = (struct script_effect){call->path, {.open = -1}};
    call->ended = true;
}

/* What is open stays open for ever. */
static inline void script_cut(struct script *s)
{
    script_append(s, SCRIPT_CUT);
    s->depth = 0;
}

static inline void script_leaves(struct script *s, uint32_t times)
{
    uint32_t site = 1 + random_below(&s->random, SCRIPT_SITES);
    for (uint32_t i = 0; i < times; i++) {
        script_enter(s, site, false);
        script_exit(s);
    }
}

static inline void script_dive(struct script *s)
{
    uint32_t levels = SCRIPT_DEPTH - s->depth;
    for (uint32_t i = 0; i < levels; i++)
        script_enter(s, 1 + i % 3, false);
    for (uint32_t i = 0; i < levels; i++)
        script_exit(s);
}

static inline void script_step(struct script *s)
{
    uint32_t what = random_below(&s->random, 100);
    bool room = s->depth < 9;
    if (s->depth && s->stack[s->depth].ended)
        script_exit(s);
    else if (what < 30 && room)
        script_enter(s, 1 + random_below(&s->random, SCRIPT_SITES), false);
    else if (what < 40 && room)
        script_enter(s, 1 + random_below(&s->random, 4), true);
    else if (what < 50 && room && s->waits)
        script_resume(s, random_below(&s->random, s->waits));
    else if (what < 55 && room)
        script_leaves(s, 1 + random_below(&s->random, 12));
    else if (what < 65 && s->depth && s->stack[s->depth].key && s->waits < SCRIPT_WAITING)
        script_suspend(s);
    else if (what < 70)
        script_exit_below(s);
    else if (s->depth)
        script_exit(s);
}

static inline void script_unwind(struct script *s)
{
    while (s->depth || s->waits)
        if (s->depth)
            script_exit(s);
        else
            script_resume(s, s->waits - 1);
}

static inline void script_make(struct script *s, uint64_t seed)
{
    *s = (struct script){.paths = 1, .random = random_seeded(seed)};
    while (s->period < SCRIPT_LENGTH / 2)
        script_step(s);
    script_cut(s);
    script_dive(s);
    while (s->period < SCRIPT_LENGTH)
        script_step(s);
    script_unwind(s);
    for (uint32_t i = 0; i < s->period; i++)
        for (int k = 0; k < 2; k++)
            script_add(&s->period_sums[s->operation[i].effect[k].path], &s->operation[i].effect[k].sums, 1);
}

/* ---- doing it ---- */

static inline void script_do(const struct script *s, struct writer *w, uint64_t position)
{
    const struct script_operation *o = &s->operation[position % s->period];
    switch (o->kind) {
    case SCRIPT_ENTER:
        writer_enter(w, o->site);
        break;
    case SCRIPT_ENTER_KEYED:
        writer_enter_keyed(w, o->site, o->key);
        break;
    case SCRIPT_EXIT:
        writer_exit(w, o->site, o->flags);
        break;
    case SCRIPT_SUSPEND:
        writer_suspend(w, o->site);
        break;
    case SCRIPT_RESUME:
        writer_resume(w, o->site, o->key);
        break;
    case SCRIPT_EXIT_BELOW:
        writer_exit_below(w, o->site, o->depth, o->flags);
        break;
    case SCRIPT_DROP:
        writer_drop(w);
        break;
    case SCRIPT_CUT:
        writer_cut(w, clock_ticks());
        break;
    }
}

#endif
