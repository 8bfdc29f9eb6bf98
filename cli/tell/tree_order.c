#include "tree_order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "array.h"
#include "message.h"
#include "process_tree.h"
#include "tenant.h"

#define PAUSES 10
#define DEAF_PAUSES 400
#define PAUSE_NS 5000000
#define ROUNDS_MAX 500 /* a process tree that multiplies faster than it can be told is not told all */

struct told {
    pid_t pid;
    uint64_t start_time;
};

struct campaign {
    enum control_command command;
    uint64_t timeout;
    struct told *told;
    size_t count, room;
    pid_t root;
    unsigned pauses;     /* left, for members that are just being made */
    unsigned deaf;       /* the same, for those that do not listen yet, or not any more: they have just begun, or end */
    size_t obeyed, idle; /* of them: those that did something; for which there was nothing to do */
    uint64_t sites;      /* of the root */
    bool extended;       /* the root recorded already, but did not hand it on */
    int code;
};

static bool was_told(const struct campaign *c, const struct subject *s)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->told[i].pid == s->pid && c->told[i].start_time == s->start_time)
            return true;
    return false;
}

static bool note_told(struct campaign *c, const struct subject *s)
{
    struct told *told = array_room(c->told, c->count, &c->room, sizeof *told);
    if (!told)
        return false;
    c->told = told;
    c->told[c->count++] = (struct told){s->pid, s->start_time};
    return true;
}

static void pause_shortly(void)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    nanosleep(&pause, NULL);
}

/* Members may begin and end at any time: that is no failure, except for the root. True: it is to be asked again. */
static bool is_deaf(struct campaign *c, const struct subject *s, int error)
{
    if (!order_may_come_round(s, error) || !c->deaf)
        return false;
    c->deaf--;
    pause_shortly();
    return true;
}

static void take_answer(struct campaign *c, const struct subject *s, bool root, int error, const struct control_reply *reply)
{
    int code = order_check(s, c->command, c->timeout, error, reply);
    if (code == EXIT_OK) {
        c->obeyed += reply->result != CONTROL_ALREADY;
        c->idle += reply->result == CONTROL_ALREADY;
    } else if (c->code == EXIT_OK)
        c->code = code;
    if (code == EXIT_OK && root)
        c->sites = reply->sites;
}

/* A member that has inherited the session is not bothered. */
static bool is_done(const struct campaign *c, const struct subject *s)
{
    unsigned whole = SESSION_RUNNING | SESSION_SUBPROCESSES;
    return c->command == CONTROL_START ? (s->header.session_flags & whole) == whole : c->command == CONTROL_STOP && !s->session.running;
}

static bool tell_one(struct campaign *c, struct subject *s, bool root)
{
    struct control_reply reply;
    if (!root && is_done(c, s)) {
        c->idle++;
        return note_told(c, s);
    }
    uint32_t argument = c->command == CONTROL_START ? CONTROL_SUBPROCESSES : 0;
    bool alone = root && c->command == CONTROL_START && !(s->header.session_flags & SESSION_SUBPROCESSES);
    int error = order_ask(s, c->command, argument, c->timeout, &reply);
    c->extended |= alone && error == 0 && reply.result == CONTROL_ALREADY;
    if (!root && is_deaf(c, s, error))
        return true;
    take_answer(c, s, root, error, &reply);
    return note_told(c, s);
}

/* Of a member that has ended. */
static void forget(const struct subject *s)
{
    const struct tenant t = {s->dirfd, s->inner, s->start_time};
    if (!tenant_may_live(&t))
        tenant_remove(&t, NULL, NULL);
}

/* Ancestors first, so that who was told makes no more children that were not. True: somebody was new. */
static bool tell_all(struct campaign *c, const struct process_tree *tree, bool *whole)
{
    bool any = false;
    for (size_t i = 0; i < tree->count && *whole; i++) {
        struct subject *s = tree->relative[i].subject;
        if (!s->alive && !s->apart && i && c->command == CONTROL_RESET)
            forget(s);
        if (!subject_ready(s) || was_told(c, s))
            continue;
        any = true;
        *whole = tell_one(c, s, i == 0);
    }
    return any;
}

/* A child that was forked before its parent was told may not have a segment yet. */
static bool await_missing(struct campaign *c, const struct process_tree *tree)
{
    if (!c->pauses || !process_tree_missing(tree))
        return false;
    c->pauses--;
    pause_shortly();
    return true;
}

/* The root is looked for anew, since subjects are. */
static bool next_round(struct campaign *c, struct operand *o, bool *whole)
{
    struct process_tree tree;
    if (process_tree_of(&tree, &o->all, o->subject) < 0) {
        *whole = false;
        return false;
    }
    bool more = tell_all(c, &tree, whole) || await_missing(c, &tree);
    process_tree_free(&tree);
    return more && *whole && operand_refresh(o);
}

static void tell(const struct campaign *c, const char *done, const char *already)
{
    int pid = (int)c->root;
    size_t others = c->count ? c->count - 1 : 0;
    const char *more = c->extended ? "; what it forks does so from now on, too" : "";
    char also[64] = "";
    const char *plural = c->sites == 1 ? "" : "s";
    if (others)
        snprintf(also, sizeof also, " and %zu subprocess%s", others, others == 1 ? "" : "es");
    if (c->obeyed == 0)
        note("process %d %s%s%s%s", pid, already, others ? "; the same with" : "", others ? also + strlen(" and") : "", more);
    else if (c->idle)
        note("%s process %d%s (%zu of them already): %" PRIu64 " function%s decorated%s", done, pid, also, c->idle, c->sites, plural, more);
    else
        note("%s process %d%s: %" PRIu64 " function%s decorated%s", done, pid, also, c->sites, plural, more);
}

int tree_order(struct operand *root, enum control_command command, uint64_t timeout_ns, const char *done, const char *already)
{
    struct campaign c = {.command = command, .timeout = timeout_ns, .root = root->subject->pid, .pauses = PAUSES, .deaf = DEAF_PAUSES, .code = EXIT_OK};
    bool whole = true;
    for (unsigned i = 0; i < ROUNDS_MAX && next_round(&c, root, &whole); i++)
        ;
    free(c.told);
    if (!whole)
        return fail(EXIT_FAILED,
                    "not all processes were told\n"
                    "out of memory\n"
                    SAME_AGAIN);
    if (c.code == EXIT_OK)
        tell(&c, done, already);
    return c.code;
}
