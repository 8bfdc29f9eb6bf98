#include "openings.h"

#include <stdbool.h>
#include <stdlib.h>

#include "calls.h"

/* ---- taken and given back ---- */

#define AT_A_TIME 64 /* their memory is never released: what a thread has open may name one whose block is gone */
struct opening *openings_unused;

struct opening *openings_make_more(void)
{
    openings_unused = calloc(AT_A_TIME, sizeof *openings_unused);
    for (int i = 0; openings_unused && i + 1 < AT_A_TIME; i++)
        openings_unused[i].next = &openings_unused[i + 1];
    return openings_unused;
}

/* ---- which frame it is ---- */

static PyObject *names[4]; /* of functions that enter for their callers, interned as those of code are */

int openings_init(void)
{
    static const char *const texts[] = {"__enter__", "__aenter__", "enter_context", "enter_async_context"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!names[i] && !(names[i] = PyUnicode_InternFromString(texts[i])))
            return -1;
    return 0;
}

static bool enters_for_its_caller(const python_frame *f)
{
    const PyObject *name = python_frame_code(f)->co_name;
    return name == names[0] || name == names[1] || name == names[2] || name == names[3];
}

/* An ExitStack, a class with a block inside, a generator that contextlib runs up to its yield: they enter it for their caller. */
const python_frame *openings_host(const python_frame *frame)
{
    const python_frame *f = python_next_with_code(frame);
    while (f) {
        bool itself = enters_for_its_caller(f), may_wait = python_frame_code(f)->co_flags & PYTHON_GENERATOR_FLAGS;
        const python_frame *caller = itself || may_wait ? python_next_with_code(python_caller(f)) : NULL;
        if (!caller || (!itself && !enters_for_its_caller(caller)))
            return f;
        f = caller;
    }
    return NULL;
}

struct opening **openings_find_slow(struct opening **list, const struct thread *t, const python_frame *frame)
{
    const python_frame *host = openings_host(frame);
    struct opening **here = NULL;
    for (struct opening **link = list; *link; link = &(*link)->next) {
        if (host && (*link)->host == host)
            return link;
        if (!here && t && calls_depth_of(t, *link))
            here = link;
    }
    return here;
}

/* ---- what is open below ---- */

static bool is_around(const python_frame *host, const python_frame *f)
{
    while (f && f != host)
        f = python_caller(f);
    return f;
}

static bool is_recursion(const struct open_call *c, const python_frame *frame)
{
    const struct opening *o = c->what & (OPEN_ENDED | OPEN_LEFT) ? NULL : c->id;
    return o && o->host && is_around(o->host, frame);
}

uint64_t openings_recursion_from(const struct thread *t, uint32_t depth, const python_frame *frame)
{
    uint32_t site = calls_site(t, depth);
    uint64_t kind = 0;
    for (; depth; depth--) {
        const struct open_call *c = &t->open[depth];
        if ((uint32_t)c->what != site || !(c->what & OPEN_BLOCK))
            continue;
        if (is_recursion(c, frame))
            return OPEN_INNER;
        kind = OPEN_APART;
    }
    return kind;
}
