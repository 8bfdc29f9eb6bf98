#include "tree_detach.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "array.h"
#include "clock.h"
#include "containers.h"
#include "lineage.h"
#include "message.h"
#include "order.h"

#define PAUSE_NS 5000000
#define SETTLED 2 /* looks in a row that find nobody: one may just have been forked, and has no segment yet */

struct told {
    pid_t pid;
    uint64_t start_time;
};

struct parting {
    struct subject root; /* as it was: with its order its segment goes, as a rule */
    uint64_t timeout;
    struct told *told;
    size_t count, room;
    size_t detached;
    int code;
};

static bool was_told(const struct parting *p, const struct subject *s)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->told[i].pid == s->pid && p->told[i].start_time == s->start_time)
            return true;
    return false;
}

static bool note_told(struct parting *p, const struct subject *s)
{
    struct told *more = array_room(p->told, p->count, &p->room, sizeof *more);
    if (!more)
        return false;
    p->told = more;
    p->told[p->count++] = (struct told){s->pid, s->start_time};
    return true;
}

/* A descendant that ends, or whose attachment ends meanwhile with its parent's, is no failure. */
static bool tell_one(struct parting *p, const struct subject *s, bool root)
{
    struct control_reply reply;
    int error = order_ask(s, CONTROL_DETACH, 0, p->timeout, &reply);
    if (root || !order_is_deaf(error)) {
        int code = order_check(s, CONTROL_DETACH, p->timeout, error, &reply);
        p->detached += code == EXIT_OK && reply.result != CONTROL_ALREADY;
        p->code = p->code == EXIT_OK ? code : p->code;
    }
    return note_told(p, s);
}

static bool descends(const struct parting *p, const struct subject *s)
{
    return subject_ready(s) && s->uid == p->root.uid && lineage_has(s->header.lineage, p->root.inner, p->root.start_time);
}

/* False: no memory. */
static bool find_all(struct operand *o)
{
    o->subject = NULL;
    subjects_free(&o->all);
    places_leave_containers(&o->places);
    return subjects_find(&o->all, &o->places) == 0 && containers_find(&o->all, &o->places) == 0;
}

static bool tell_descendants(struct parting *p, struct operand *o, bool *any)
{
    bool whole = find_all(o);
    *any = false;
    for (size_t i = 0; i < o->all.count && whole; i++) {
        const struct subject *s = &o->all.subject[i];
        if (!descends(p, s) || was_told(p, s))
            continue;
        *any = true;
        whole = tell_one(p, s, false);
    }
    return whole;
}

static bool tell_all(struct parting *p, struct operand *o)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t until = clock_ns(CLOCK_MONOTONIC) + p->timeout;
    bool whole = tell_one(p, &p->root, true), any = false;
    for (int quiet = 0; whole && quiet < SETTLED && clock_ns(CLOCK_MONOTONIC) < until; quiet = any ? 0 : quiet + 1) {
        if (quiet)
            nanosleep(&pause, NULL);
        whole = tell_descendants(p, o, &any);
    }
    return whole;
}

int tree_detach(struct operand *root, uint64_t timeout_ns)
{
    struct parting p = {.root = *root->subject, .timeout = timeout_ns, .code = EXIT_OK};
    bool whole = tell_all(&p, root);
    int pid = (int)p.root.pid;
    size_t others = p.count ? p.count - 1 : 0;
    free(p.told);
    if (!whole)
        return fail(EXIT_FAILED,
                    "not all processes were detached from\n"
                    "out of memory\n"
                    SAME_AGAIN);
    if (p.code == EXIT_OK && p.detached) {
        note("detached from process %d and %zu subprocess%s", pid, others, others == 1 ? "" : "es");
        if (!p.root.apart) /* into a container there is no way any more */
            order_tell_what_is_left(&p.root);
    }
    else if (p.code == EXIT_OK)
        note("process %d was not attached to, nor was one below it", pid);
    return p.code;
}
