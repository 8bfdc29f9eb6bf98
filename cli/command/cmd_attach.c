#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "attachment.h"
#include "command.h"
#include "failure.h"
#include "message.h"
#include "operand.h"
#include "settings.h"
#include "units.h"

/* Until we are ended, or the process is: the connection is what it goes by. */
static int stay(int fd, const struct subject *subject)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    note("until this command ends (^C)");
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    note("process %d has ended, or was detached from, or attached to anew", (int)subject->pid);
    return EXIT_OK;
}

static int give_order(struct attachment *a)
{
    struct operand operand = {0};
    int code = attachment_find(a, &operand);
    if (code == EXIT_OK)
        code = attachment_order(a, operand.subject);
    if (code == EXIT_OK && a->settings->while_attached)
        code = stay(a->tether, operand.subject);
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

static int rehearse(struct attachment *a, pid_t pid)
{
    char version[32];
    struct operand operand;
    int code = operand_look(&operand, a->settings);
    bool prepared = operand.subject;
    operand_free(&operand);
    if (prepared)
        printf("process %d has timestamp_capture already: it would be told over its socket\n", (int)pid);
    if (code != EXIT_OK || prepared)
        return code;
    code = attachment_look(a, pid);
    if (code != EXIT_OK)
        return code;
    target_version(&a->plan.target, version, sizeof version);
    printf("process %d is CPython %s (%s)\n", (int)pid, version, a->plan.target.image);
    if (!a->plan.runs_scripts)
        return rehearse_ptrace(a);
    printf("its threads would be asked to run a script that loads %s (PEP 768)\n", a->plan.extension.library);
    return EXIT_OK;
}

int cmd_attach(const struct settings *s)
{
    struct attachment a;
    pid_t pid = operand_pid(s->operand);
    attachment_init(&a, s);
    int code = attachment_check(&a);
    if (code == EXIT_OK && s->dry_run && pid)
        return rehearse(&a, pid);
    return code == EXIT_OK ? give_order(&a) : code;
}
