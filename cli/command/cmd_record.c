#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attachment.h"
#include "clock.h"
#include "command.h"
#include "following.h"
#include "message.h"
#include "operand.h"
#include "own_session.h"
#include "pace.h"
#include "process.h"
#include "python_operand.h"
#include "saving.h"
#include "settings.h"
#include "source.h"
#include "units.h"

#define SECOND 1000000000u
#define TREE_NS 500000000u   /* between looks at a process tree: children that begin and end in between leave nothing, so they */
#define TREE_SHARE 4         /* may take more */
#define BEAT_NS 1000000000u  /* of the line on a terminal */
#define WATCH_NS 100000000u  /* between looks at a process that the kernel does not tell of */
#define FINAL_LOOKS 5        /* at threads that were too busy to be copied */

struct record {
    const struct settings *settings;
    struct source *source;
    struct subject *subject; /* its root */
    struct saving saving;
    struct own_session session;
    struct following following; /* its descendants, where it was attached to for this */
    struct capture first, last; /* what it began with, if there was anything; the last look */
    bool has_first, has_last;
    bool written; /* the last look is in the file */
    bool broken;  /* somebody reset it meanwhile: what was recorded before is not in what comes */
    int signals;  /* descriptor: of those that end it */
    int target;   /* descriptor: the process has ended; -1: the kernel does not tell */
    struct pace pace;                        /* of what goes to the file */
    uint64_t began, until, due_look, due_beat; /* CLOCK_MONOTONIC, ns */
    bool over;
};

/* ---- looks ---- */

static void keep_look(struct record *r, struct capture *c)
{
    if (r->has_last && !capture_continues(c, &r->last) && !r->broken) {
        note("process %d began anew, or one below it: what was recorded before a reset, or by a former program, is not in the file",
             (int)r->subject->pid);
        r->broken = true;
    }
    if (r->has_first && !capture_continues(c, &r->first)) {
        capture_free(&r->first);
        r->has_first = false;
    }
    if (r->has_last)
        capture_free(&r->last);
    r->last = *c;
    r->has_last = true;
    r->written = false;
}

/* One that is not whole does not take the place of one that is: -EAGAIN. */
static int look(struct record *r)
{
    struct capture c;
    int e = source_look(r->source, &c);
    if (e < 0)
        return e;
    bool whole = c.profile.complete;
    if (!r->has_last || capture_replaces(&c, &r->last))
        keep_look(r, &c);
    else
        capture_free(&c);
    return whole ? 0 : -EAGAIN;
}

static int write_look(struct record *r)
{
    if (!r->has_last || r->written)
        return EXIT_OK;
    r->written = true;
    return saving_add(&r->saving, &r->last, r->has_first ? &r->first : NULL);
}

/* The process has ended, has become another program, or its segment is gone. */
static void heed_end(struct record *r)
{
    const struct subject *s = r->subject;
    bool runs = process_runs(s->pid, s->start_time), ended = !runs || s->replaced, detached = s->error == -ENOENT;
    if (r->over)
        return;
    if (ended)
        note("process %d has %s", (int)s->pid, runs ? "become another program" : "ended");
    else if (detached)
        note("the segment of process %d is gone: it ends, or somebody detached from it", (int)s->pid);
    r->over = ended || detached;
}

static void plan_looks(struct record *r, uint64_t now, bool written)
{
    uint64_t after = clock_ns(CLOCK_MONOTONIC), took = after - now;
    if (written)
        pace_go_on(&r->pace, now, after);
    r->due_look = r->source->group.whole_tree ? after + (TREE_SHARE * took > TREE_NS ? TREE_SHARE * took : TREE_NS) : r->pace.due;
}

static int look_in_time(struct record *r)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    bool write = now >= r->pace.due;
    if (r->session.asked >= 0 || (now < r->due_look && !write))
        return EXIT_OK;
    look(r);
    if (!r->subject->alive || r->subject->error == -ENOENT)
        heed_end(r);
    int code = write && r->has_last && r->last.profile.complete ? write_look(r) : EXIT_OK;
    plan_looks(r, now, write);
    return code;
}

/* ---- waiting ---- */

static void show_progress(struct record *r)
{
    char span[UNITS_TEXT];
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now < r->due_beat)
        return;
    units_write_time(span, sizeof span, (now - r->began) / SECOND * SECOND);
    progress("recording process %d for %s into %s, %" PRIu64 " calls at the last look (^C ends it)", (int)r->subject->pid, span, r->saving.path,
             r->has_last ? metric_minus(r->last.profile.calls, r->has_first ? r->first.profile.calls : 0) : 0);
    r->due_beat = now + BEAT_NS;
}

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t next_deed(const struct record *r, uint64_t now)
{
    uint64_t until = r->session.asked >= 0 ? r->session.patience : sooner(r->due_look, r->pace.due);
    until = sooner(sooner(until, r->until), r->following.due);
    if (isatty(STDERR_FILENO))
        until = sooner(until, r->due_beat);
    return r->target < 0 ? sooner(until, now + WATCH_NS) : until;
}

static void wait_for_anything(struct record *r)
{
    enum { SIGNALS, TARGET, ANSWER, WAYS };
    struct pollfd p[WAYS] = {{.fd = r->signals, .events = POLLIN}, {.fd = r->target, .events = POLLIN}, {.fd = r->session.asked, .events = POLLIN}};
    uint64_t now = clock_ns(CLOCK_MONOTONIC), until = next_deed(r, now), ns = until > now ? until - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
    if (ppoll(p, WAYS, &timeout, NULL) < 0)
        p[SIGNALS].revents = p[TARGET].revents = p[ANSWER].revents = 0;
    if (own_session_go_on(&r->session, r->subject, p[ANSWER].revents))
        subject_refresh(r->subject);
    if (p[TARGET].revents || r->target < 0)
        heed_end(r);
    r->over |= p[SIGNALS].revents || p[TARGET].revents || clock_ns(CLOCK_MONOTONIC) >= r->until;
}

static int check_session(const struct record *r)
{
    if (r->session.failure == OWN_SESSION_REFUSED)
        return own_session_explain(&r->session, r->subject);
    if (r->session.failure == OWN_SESSION_NO_MEMORY)
        return fail(EXIT_FAILED,
                    "cannot go on recording process %d\n"
                    "out of memory\n"
                    SAME_AGAIN,
                    (int)r->subject->pid);
    return EXIT_OK;
}

static int run(struct record *r)
{
    int code = check_session(r);
    while (!r->over && code == EXIT_OK) {
        code = look_in_time(r);
        following_look(&r->following);
        show_progress(r);
        if (code == EXIT_OK && !r->over)
            wait_for_anything(r);
        if (code == EXIT_OK && !r->over)
            code = check_session(r);
    }
    return code;
}

/* ---- the end ---- */

/* What it recorded until now, or left; the look before, if there is nothing any more. */
static int write_last(struct record *r)
{
    for (int i = 0; i < FINAL_LOOKS && look(r) == -EAGAIN; i++)
        ;
    return write_look(r);
}

static int check_loss(const struct record *r)
{
    if (r->broken)
        return fail(EXIT_LOSS,
                    "the profile is incomplete\n"
                    "process %d was reset while it was recorded, or it or one below it became another program\n"
                    "tscap record %d",
                    (int)r->subject->pid, (int)r->subject->pid);
    return r->has_last ? capture_check_loss(&r->last, setting_or(r->settings->max_loss, 0)) : EXIT_OK;
}

/* What went wrong first counts. */
static int finish(struct record *r, int code)
{
    bool alive = process_runs(r->subject->pid, r->subject->start_time);
    int ended = alive ? own_session_end(&r->session, r->subject) : EXIT_OK;
    if (code == EXIT_OK)
        code = write_last(r);
    if (code == EXIT_OK)
        code = saving_finish(&r->saving);
    if (code == EXIT_OK)
        code = ended;
    return code == EXIT_OK ? check_loss(r) : code;
}

/* ---- the whole ---- */

/* The signals that end it wait until we look for them: what was begun is ended in any case. */
static int hold_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int record(struct record *r)
{
    r->target = (int)syscall(SYS_pidfd_open, r->subject->pid, 0);
    r->began = r->due_look = clock_ns(CLOCK_MONOTONIC);
    r->pace = (struct pace){r->began, r->began};
    r->due_beat = r->began + BEAT_NS;
    r->until = r->settings->duration == UNSET ? UINT64_MAX : r->began + r->settings->duration;
    own_session_open(&r->session, &r->source->group);
    own_session_begin(&r->session, r->subject);
    int code = finish(r, run(r));
    own_session_free(&r->session);
    if (r->target >= 0)
        close(r->target);
    return code;
}

/* What is there already is not of the interval. */
static int look_first(struct record *r)
{
    int code = source_take(r->source, &r->first);
    r->has_first = code == EXIT_OK && (r->first.profile.calls || r->first.profile.records || r->first.profile.lost);
    if (code == EXIT_OK && !r->has_first)
        capture_free(&r->first);
    return code;
}

/* `fresh`: it has just been attached to, and has recorded nothing before, nor has one below it. `order`: to be attached to. Those below
 * it are attached to once it is: what they recorded before is looked at first. */
static int record_subject(struct record *r, struct attachment *a, const struct operand *o, bool fresh, bool order)
{
    struct source source;
    const struct choice choice = choice_make(r->settings);
    int code = source_open(&source, &o->places, o->subject, r->settings->subprocesses, &choice);
    r->source = &source;
    source_hold(&source);
    if (code == EXIT_OK)
        r->subject = source_root(&source);
    if (code == EXIT_OK && !fresh)
        code = look_first(r);
    if (code == EXIT_OK && order)
        code = attachment_order(a, r->subject);
    if (code == EXIT_OK && order)
        subject_refresh(r->subject);
    if (code == EXIT_OK && attachment_ordered(a))
        following_begin(&r->following, a, r->subject);
    if (code == EXIT_OK)
        code = record(r);
    int followed = following_end(&r->following);
    if (r->has_first)
        capture_free(&r->first);
    if (r->has_last)
        capture_free(&r->last);
    source_free(&source);
    return code == EXIT_OK ? followed : code;
}

static int record_prepared(struct record *r, struct attachment *a, const struct operand *o, bool order)
{
    const struct subject *s = o->subject;
    int code = saving_open(&r->saving, r->settings, s->pid, s->command);
    return code == EXIT_OK ? record_subject(r, a, o, false, order) : code;
}

static int record_unprepared(struct record *r, struct attachment *a, struct operand *o)
{
    char command[SUBJECT_COMMAND] = "";
    pid_t pid = operand_pid(r->settings->operand);
    process_command(pid, command, sizeof command);
    int code = attachment_look(a, pid);
    if (code == EXIT_OK)
        code = saving_open(&r->saving, r->settings, pid, command);
    if (code == EXIT_OK)
        code = attachment_find(a, o);
    if (code == EXIT_OK)
        code = attachment_order(a, o->subject);
    if (code != EXIT_OK)
        return code;
    subject_refresh(o->subject);
    return record_subject(r, a, o, a->injected && !r->settings->subprocesses, false);
}

static int record_with(struct record *r, struct attachment *a)
{
    struct operand o = {0};
    const struct settings *s = r->settings;
    bool rules = s->match.count || s->exclude.count || s->all || s->builtins;
    bool prepared = operand_look(&o, s) == EXIT_OK && o.subject;
    if (!prepared)
        operand_free(&o);
    bool unprepared = !prepared && operand_pid(s->operand) > 0;
    int code = prepared ? record_prepared(r, a, &o, rules) : unprepared ? record_unprepared(r, a, &o) : operand_find(&o, s, OPERAND_LIVING);
    if (!prepared && !unprepared && code == EXIT_OK) /* "auto" */
        code = record_prepared(r, a, &o, rules);
    int ended = o.subject ? attachment_end(a, o.subject) : EXIT_OK;
    saving_drop(&r->saving);
    operand_free(&o);
    return code == EXIT_OK ? ended : code;
}

int cmd_record(const struct settings *s)
{
    struct python_operand named;
    struct attachment a;
    int code = python_operand_find(&named, s);
    if (code != EXIT_OK)
        return code;
    struct record r = {.settings = &named.settings, .saving = {.fd = -1}, .target = -1, .following = {.due = UINT64_MAX}};
    attachment_init(&a, r.settings);
    a.tethered = a.alone = true;
    code = attachment_check(&a);
    if (code != EXIT_OK)
        return code;
    r.signals = hold_signals();
    code = record_with(&r, &a);
    if (r.signals >= 0)
        close(r.signals);
    return code;
}
