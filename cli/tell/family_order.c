#include "family_order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "array.h"
#include "family.h"
#include "message.h"
#include "stray.h"
#include "tenant.h"

#define PAUSES 10
#define DEAF_PAUSES 400
#define PAUSE_NS 5000000
#define ROUNDS_MAX 500 /* a family that multiplies faster than it can be told is not told all */

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
    int error = order_ask(s, c->command, argument, c->timeout, &reply);
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
static bool tell_all(struct campaign *c, const struct family *f, bool *whole)
{
    bool any = false;
    for (size_t i = 0; i < f->count && *whole; i++) {
        struct subject *s = f->relative[i].subject;
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
static bool await_missing(struct campaign *c, const struct family *f)
{
    if (!c->pauses || !family_missing(f))
        return false;
    c->pauses--;
    pause_shortly();
    return true;
}

/* The root is looked for anew, since subjects are. */
static bool next_round(struct campaign *c, struct operand *o, bool *whole)
{
    struct family f;
    if (family_of(&f, &o->all, o->subject) < 0) {
        *whole = false;
        return false;
    }
    bool more = tell_all(c, &f, whole) || await_missing(c, &f);
    family_free(&f);
    return more && *whole && operand_refresh(o);
}

static void tell(const struct campaign *c, const char *done, const char *already)
{
    int pid = (int)c->root;
    size_t others = c->count ? c->count - 1 : 0;
    char also[64] = "";
    if (others)
        snprintf(also, sizeof also, " and %zu subprocess%s", others, others == 1 ? "" : "es");
    if (c->obeyed == 0)
        note("process %d %s%s%s", pid, already, others ? "; the same with" : "", others ? also + strlen(" and") : "");
    else if (c->idle)
        note("%s process %d%s (%zu of them already): %" PRIu64 " functions decorated", done, pid, also, c->idle, c->sites);
    else
        note("%s process %d%s: %" PRIu64 " functions decorated", done, pid, also, c->sites);
}

/* Those that hear no order. The first of them is in the remedy: each has to be attached to. */
static void tell_strays(struct operand *root)
{
    struct family f = {0};
    struct strays s = {0};
    char names[STRAYS_TEXT];
    bool found = root->subject && operand_refresh(root) && family_of(&f, &root->all, root->subject) == 0;
    if (found && strays_find(&s, &f, &root->all) == 0 && s.count) {
        strays_name(&s, names, sizeof names);
        note("%s cannot be told to record: " STRAY_CAUSE "; tscap attach %d", names, (int)s.pid[0]);
    }
    strays_free(&s);
    family_free(&f);
}

int family_order(struct operand *root, enum control_command command, uint64_t timeout_ns, const char *done, const char *already)
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
                    "the same again");
    if (c.code == EXIT_OK)
        tell(&c, done, already);
    if (command == CONTROL_START && c.code == EXIT_OK)
        tell_strays(root);
    return c.code;
}
