/* Openings: a Profiler's block is entered by the frame that its `with` stands in, again and again, on several threads and by tasks that
 * take turns, maybe. Each time has an opening, by which the thread's open calls know it. With the interpreter's lock. */
#ifndef TSCAP_OPENINGS_H
#define TSCAP_OPENINGS_H

#include <stdint.h>

#include "python.h"
#include "thread.h"

struct opening {
    const python_frame *host; /* which entered it; NULL: none that has code */
    struct opening *next;     /* of the same block */
};

int openings_init(void); /* 0, or -1 with an exception */

#pragma GCC visibility push(hidden)
extern struct opening *openings_unused;
#pragma GCC visibility pop
struct opening *openings_make_more(void); /* NULL: no memory */
const python_frame *openings_host(const python_frame *frame); /* in which the `with` stands; NULL: none has code */

/* One more of a block's, whose latest is the first. NULL: no memory. And one less. */
static inline struct opening *openings_take(struct opening **list, const python_frame *frame)
{
    struct opening *o = __builtin_expect(openings_unused != NULL, 1) ? openings_unused : openings_make_more();
    if (!o)
        return NULL;
    openings_unused = o->next;
    o->host = openings_host(frame);
    o->next = *list;
    return *list = o;
}

static inline void openings_give(struct opening **link)
{
    struct opening *o = *link;
    *link = o->next;
    o->host = NULL;
    o->next = openings_unused;
    openings_unused = o;
}

/* The one that this frame entered, on whatever thread; else the latest that is open on this thread, which may be NULL. NULL: none. */
struct opening **openings_find_slow(struct opening **list, const struct thread *t, const python_frame *frame);
static inline struct opening **openings_find(struct opening **list, const struct thread *t, const python_frame *frame)
{
    return __builtin_expect((*list)->host == frame, 1) ? list : openings_find_slow(list, t, frame);
}

/* What the frame enters now may be open below: OPEN_INNER, by a frame that is around this one; OPEN_APART, only by others, of tasks or
 * generators that take turns with this one; 0: it is not. */
uint64_t openings_recursion_from(const struct thread *t, uint32_t depth, const python_frame *frame); /* where the same site is open */
static inline uint64_t openings_recursion(const struct thread *t, uint32_t site, const python_frame *frame)
{
    for (uint32_t depth = t->writer->depth; depth; depth--)
        if ((uint32_t)t->open[depth].what == site)
            return openings_recursion_from(t, depth, frame);
    return 0;
}

#endif
