#include "tree_attachment.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "clock.h"
#include "hold.h"
#include "message.h"
#include "pids.h"
#include "process.h"
#include "process_tree.h"
#include "stray.h"
#include "target.h"

#define PAUSE_NS 10000000u    /* between looks while somebody is being made */
#define NEWBORN_NS 100000000u /* it may be between fork and exec, or its interpreter may not be there yet */
#define YOUNG_NS 1000000000u  /* it may not have come to its hooks of fork yet, if there are any */
#define HEIRS_MS 1000         /* for those that one which has ended has handed its attachment on to */
#define TRIES 20              /* at one whose interpreter has not begun, or that becomes another program meanwhile */

struct member {
    pid_t pid;
    uint64_t start_time; /* clock ticks since boot */
    uint64_t told;       /* the same, when it had its order; 0: it has none */
    unsigned tries;
    bool settled;
    int tether; /* -1: none */
};

static uint64_t tick_ns(void) { return 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK); }
static uint64_t ticks_now(void) { return clock_ns(CLOCK_BOOTTIME) / tick_ns(); }

/* ---- who is known ---- */

static struct member *find(const struct tree_attachment *t, pid_t pid, uint64_t start_time)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->member[i].pid == pid && t->member[i].start_time == start_time)
            return &t->member[i];
    return NULL;
}

static int no_memory(struct tree_attachment *t)
{
    t->untold |= t->silent;
    if (t->code == EXIT_OK && t->silent)
        t->code = EXIT_FAILED;
    if (t->code == EXIT_OK)
        t->code = fail(EXIT_FAILED,
                       "not all processes were attached to\n"
                       "out of memory\n"
                       SAME_AGAIN);
    return t->code;
}

static struct member *find_or_add(struct tree_attachment *t, pid_t pid, uint64_t start_time)
{
    struct member *m = find(t, pid, start_time);
    if (m)
        return m;
    m = array_room(t->member, t->count, &t->room, sizeof *m);
    if (!m) {
        no_memory(t);
        return NULL;
    }
    t->member = m;
    t->member[t->count] = (struct member){.pid = pid, .start_time = start_time, .tether = -1};
    return &t->member[t->count++];
}

/* ---- one of them ---- */

/* Its messages are not the user's unless it failed, and it is no failure that a process ends or becomes another one. False: it is
 * worth another try. */
static bool judge(struct tree_attachment *t, struct member *m, int code, const char *message)
{
    m->tries++;
    if (code == EXIT_NO_PROCESS && !target_has_ended(m->pid) && m->tries < TRIES)
        return false;
    m->settled = true;
    if (code == EXIT_OK || target_has_ended(m->pid))
        return true;
    t->untold |= t->silent;
    if (!t->silent)
        fail((enum exit_code)code, "%s", message);
    if (t->code == EXIT_OK)
        t->code = code;
    return true;
}

static bool attach(struct tree_attachment *t, struct member *m)
{
    char number[16], message[MESSAGE_MAX] = "";
    sigset_t before;
    struct operand operand = {0};
    struct settings settings = *t->root->settings;
    struct attachment a = *t->root;
    snprintf(number, sizeof number, "%ld", (long)m->pid);
    settings.operand = number;
    a.settings = &settings;
    a.tether = -1;
    a.injected = a.refused = false;
    hold_signals(&before); /* from when something is brought in until it is bound to our life */
    message_keep(message, sizeof message);
    int code = attachment_find(&a, &operand);
    if (code == EXIT_OK)
        code = attachment_order(&a, operand.subject);
    if (code != EXIT_OK && operand.subject)
        attachment_end(&a, operand.subject); /* brought in for nothing */
    message_keep(NULL, 0);
    hold_end(&before);
    m->tether = a.tether;
    m->told = code == EXIT_OK && !a.refused ? ticks_now() : 0;
    operand_free(&operand);
    return judge(t, m, code, message);
}

/* Forked by one that had its order, with Python's knowledge. */
static bool is_heir(const struct tree_attachment *t, const struct subject *s, const struct subject *parent)
{
    const struct member *m = find(t, parent->pid, parent->start_time);
    unsigned inherited = SESSION_RUNNING | SESSION_SUBPROCESSES | SESSION_COUNTED;
    return m && m->told && s->start_time > m->told && (s->header.session_flags & inherited) == inherited;
}

/* ---- those with a segment ---- */

/* True: there was something to be done. */
static bool attach_to_prepared(struct tree_attachment *t, const struct process_tree *tree)
{
    bool any = false;
    for (size_t i = 1; i < tree->count; i++) {
        const struct subject *s = tree->relative[i].subject;
        struct member *m = subject_ready(s) ? find_or_add(t, s->pid, s->start_time) : NULL;
        if (!m || m->settled)
            continue;
        if (is_heir(t, s, tree->relative[tree->relative[i].parent].subject)) {
            m->told = s->start_time;
            m->settled = true;
            continue;
        }
        any = true;
        attach(t, m);
    }
    return any;
}

/* ---- those without ---- */

static bool has_segment(const struct subjects *all, pid_t pid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].pid == pid && subject_ready(&all->subject[i]))
            return true;
    return false;
}

/* Who was forked by Python gets a segment by itself. */
static bool is_being_made(const struct tree_attachment *t, const struct descendant *d)
{
    uint64_t born = d->start_time * tick_ns(), now = clock_ns(CLOCK_BOOTTIME), age = now > born ? now - born : 0;
    return age < NEWBORN_NS || (age < YOUNG_NS && stray_parent(d->pid, &t->operand->all));
}

/* True: there was something to be done, or will be in a moment. */
static bool attach_to_unprepared(struct tree_attachment *t)
{
    bool any = false;
    for (size_t i = 0; i < t->descendants.count; i++) {
        const struct descendant *d = &t->descendants.one[i];
        bool candidate = d->present && d->python && d->pid != t->descendants.root && !has_segment(&t->operand->all, d->pid);
        struct member *m = candidate ? find_or_add(t, d->pid, d->start_time) : NULL;
        if (!m || m->settled)
            continue;
        any = true;
        if (!is_being_made(t, d))
            attach(t, m);
    }
    return any;
}

/* ---- all of them ---- */

/* One that became another program has none of what it was told. */
static void forget_replaced(struct tree_attachment *t)
{
    for (size_t i = 0; i < t->operand->all.count; i++) {
        const struct subject *s = &t->operand->all.subject[i];
        struct member *m = s->replaced ? find(t, s->pid, s->start_time) : NULL;
        if (m && m->settled && m->told) {
            m->settled = false;
            m->told = 0;
            m->tries = 0;
        }
    }
}

/* Of those that have ended, or were detached from, and of all that they forked: they have the other end, too, as long as they live. */
static void close_ended(struct tree_attachment *t)
{
    for (size_t i = 1; i < t->count; i++) {
        struct pollfd p = {.fd = t->member[i].tether, .events = POLLIN};
        if (p.fd < 0 || poll(&p, 1, 0) <= 0)
            continue;
        close(p.fd);
        t->member[i].tether = -1;
    }
}

static bool look(struct tree_attachment *t, uint64_t *pause)
{
    struct process_tree tree = {0};
    *pause = descendants_look(&t->descendants);
    close_ended(t);
    if (!operand_refresh(t->operand))
        return false; /* with the root nothing is left to be recorded */
    if (process_tree_of(&tree, &t->operand->all, t->operand->subject) < 0) {
        no_memory(t);
        return false;
    }
    forget_replaced(t);
    bool any = attach_to_prepared(t, &tree);
    process_tree_free(&tree);
    return attach_to_unprepared(t) || any;
}

uint64_t tree_attachment_look(struct tree_attachment *t)
{
    uint64_t pause = PAUSE_NS;
    return t->operand->subject && look(t, &pause) ? PAUSE_NS : pause;
}

static void tell(const struct tree_attachment *t)
{
    char names[PIDS_TEXT];
    pid_t *pid = calloc(t->count + 1, sizeof *pid);
    size_t count = 0;
    for (size_t i = 1; pid && i < t->count; i++)
        if (t->member[i].told)
            pid[count++] = t->member[i].pid;
    if (pid && count) {
        pids_write(pid, count, names, sizeof names);
        note("attached to %s, too, which descend%s from it", names, count == 1 ? "s" : "");
    }
    free(pid);
}

int tree_attachment_begin(struct tree_attachment *t, const struct attachment *root, struct operand *operand)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t until = clock_ns(CLOCK_MONOTONIC) + root->timeout, unused;
    const struct subject *s = operand->subject;
    *t = (struct tree_attachment){.root = root, .operand = operand};
    descendants_open(&t->descendants, s->pid);
    struct member *m = find_or_add(t, s->pid, s->start_time);
    if (!m)
        return t->code;
    m->told = ticks_now();
    m->settled = true;
    while (look(t, &unused) && clock_ns(CLOCK_MONOTONIC) < until)
        nanosleep(&pause, NULL);
    tell(t);
    return t->code;
}

/* ---- the end ---- */

/* Of one that has ended its heirs may hold the other end, and so may children that know nothing of it. */
static void await_end(const struct member *m, uint64_t timeout)
{
    struct pollfd p = {.fd = m->tether, .events = POLLIN};
    poll(&p, 1, process_runs(m->pid, m->start_time) ? (int)(timeout / 1000000 + 1) : HEIRS_MS);
}

void tree_attachment_end(struct tree_attachment *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->member[i].tether >= 0)
            shutdown(t->member[i].tether, SHUT_WR);
    for (size_t i = 0; i < t->count; i++)
        if (t->member[i].tether >= 0)
            await_end(&t->member[i], t->root->timeout);
    tree_attachment_leave(t);
}

void tree_attachment_leave(struct tree_attachment *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->member[i].tether >= 0)
            close(t->member[i].tether);
    free(t->member);
    descendants_free(&t->descendants);
    *t = (struct tree_attachment){0};
}

/* ---- those that were not asked for ---- */

static bool is_recorded(const struct subjects *all, pid_t pid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->subject[i].pid == pid && subject_ready(&all->subject[i]) && all->subject[i].session.running)
            return true;
    return false;
}

void tree_attachment_tell_others(struct operand *operand)
{
    char names[PIDS_TEXT];
    struct descendants d;
    int root = (int)operand->subject->pid;
    descendants_open(&d, operand->subject->pid);
    descendants_look(&d);
    pid_t *pid = calloc(d.count + 1, sizeof *pid);
    size_t count = 0;
    bool found = d.count > 1 && operand_refresh(operand);
    for (size_t i = 0; pid && found && i < d.count; i++)
        if (d.one[i].present && d.one[i].python && d.one[i].pid != root && !is_recorded(&operand->all, d.one[i].pid))
            pid[count++] = d.one[i].pid;
    if (count) {
        pids_write(pid, count, names, sizeof names);
        note("%s, below it, run%s Python, too, and nothing of that is recorded: tscap attach -s %d", names, count == 1 ? "s" : "", root);
    }
    free(pid);
    descendants_free(&d);
}
