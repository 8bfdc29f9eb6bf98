#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "attachment.h"
#include "command.h"
#include "failure.h"
#include "hold.h"
#include "matching.h"
#include "message.h"
#include "operand.h"
#include "process.h"
#include "python_operand.h"
#include "settings.h"
#include "tree_attachment.h"
#include "units.h"

#define LONGEST_MS 1000 /* between looks at who came */

static int milliseconds(uint64_t ns) { return ns < LONGEST_MS * 1000000ull ? (int)(ns / 1000000) + 1 : LONGEST_MS; }

/* Until we are ended, or the process is. The connection tells of both, unless children hold it open, too. `tree`: NULL: it alone. */
static int stay(int fd, const struct subject *subject, struct tree_attachment *tree)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    const pid_t pid = subject->pid;
    const uint64_t start_time = subject->start_time;
    note("until this command ends (^C)");
    for (int r = 0; r == 0 || (r < 0 && errno == EINTR);) {
        if (!process_runs(pid, start_time))
            break;
        r = poll(&p, 1, tree ? milliseconds(tree_attachment_look(tree)) : LONGEST_MS);
    }
    note("process %d has ended, or was detached from, or attached to anew", (int)pid);
    return EXIT_OK;
}

/* Where the numbers are, and how long. */
static void tell_where(const struct settings *s, const struct subject *subject)
{
    char value[16];
    int pid = (int)subject->pid;
    const char *also = s->subprocesses ? "-s " : "";
    bool kept = target_environment(subject->pid, "TSCAP_KEEP", value, sizeof value) == 0 && value[0] && strcmp(value, "0") != 0;
    if (s->keep || kept)
        note("tscap dump %s%d shows what is recorded, also when it has ended, or was detached from: until tscap gc", also, pid);
    else
        note("tscap dump %s%d shows what is recorded; that goes when it ends, or is detached from: tscap save %s%d, or attach --keep", also, pid,
             also, pid);
}

static int attach_to_tree(const struct attachment *a, struct operand *operand)
{
    struct tree_attachment tree;
    const struct subject root = *operand->subject;
    int code = tree_attachment_begin(&tree, a, operand);
    if (a->settings->while_attached)
        stay(a->tether, &root, &tree);
    tree_attachment_leave(&tree);
    return code;
}

/* While others are looked for it may end, or be detached from: there is no subject then. */
static int attach_to_one(const struct attachment *a, struct operand *operand)
{
    const struct subject one = *operand->subject;
    tree_attachment_tell_others(operand);
    return a->settings->while_attached ? stay(a->tether, &one, NULL) : EXIT_OK;
}

static int give_order(struct attachment *a)
{
    sigset_t before;
    struct operand operand = {0};
    hold_signals(&before); /* from when something is brought in until it is bound to our life */
    int code = attachment_find(a, &operand);
    if (code == EXIT_OK)
        code = attachment_order(a, operand.subject);
    hold_end(&before);
    if (code == EXIT_OK)
        tell_where(a->settings, operand.subject);
    if (code == EXIT_OK)
        code = a->settings->subprocesses ? attach_to_tree(a, &operand) : attach_to_one(a, &operand);
    operand_free(&operand);
    return code;
}

/* ---- only looking ---- */

static int rehearse_ptrace(struct attachment *a)
{
    char pause[UNITS_TEXT];
    struct load_report report;
    const struct load l = {.pid = a->plan.pid, .timeout_us = a->timeout / 1000};
    load_rehearse(&l, &report);
    int code = failure_tell(&a->plan, &report);
    if (code != EXIT_OK)
        return code;
    units_write_time(pause, sizeof pause, report.pause_us * 1000);
    printf("thread %d would be made to load %s\n", (int)report.tid, a->plan.extension.library);
    printf("mode %c: %s\n", report.returning,
           report.returning == 'R' ? "it goes on by itself whatever happens to tscap" : "tscap must not be killed meanwhile");
    printf("it was stopped for %s to see whether it can be, and is as before\n", pause);
    return EXIT_OK;
}

static int rehearse_bringing(struct attachment *a, pid_t pid)
{
    char version[32];
    int code = attachment_look(a, pid);
    if (code != EXIT_OK)
        return code;
    target_version(&a->plan.target, version, sizeof version);
    printf("process %d is CPython %s (%s)\n", (int)pid, version, a->plan.target.image);
    if (!a->plan.runs_scripts)
        return rehearse_ptrace(a);
    printf("its threads would be asked to run a script that loads %s (PEP 768)\n", a->plan.extension.library);
    return EXIT_OK;
}

static int rehearse(struct attachment *a, pid_t pid)
{
    struct operand operand;
    int code = operand_look(&operand, a->settings);
    bool prepared = operand.subject;
    operand_free(&operand);
    if (prepared)
        printf("process %d has timestamp_capture already: it would be told over its socket\n", (int)pid);
    if (code == EXIT_OK && !prepared)
        code = rehearse_bringing(a, pid);
    return code == EXIT_OK ? matching_show(a, pid) : code;
}

/* Children get what was selected with the session, when they are forked. */
static int check(const struct settings *s)
{
    if (!s->no_start || !s->subprocesses)
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "attach: --no-start does not go with --subprocesses\n"
                "what is made later is told by the session of its parent what to record: there has to be one\n"
                "tscap attach --subprocesses %s",
                s->operand);
}

int cmd_attach(const struct settings *s)
{
    struct attachment a;
    struct python_operand o;
    int code = check(s);
    if (code != EXIT_OK)
        return code;
    code = s->wait ? python_operand_await(&o, s) : python_operand_find(&o, s);
    if (code != EXIT_OK)
        return code;
    pid_t pid = operand_pid(o.settings.operand);
    attachment_init(&a, &o.settings);
    code = attachment_check(&a);
    if (code == EXIT_OK && !pid && operand_is_part(o.settings.operand))
        return python_operand_missing(s);
    if (code == EXIT_OK && s->dry_run && pid)
        return rehearse(&a, pid);
    return code == EXIT_OK ? give_order(&a) : code;
}
