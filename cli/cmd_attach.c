#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control.h"
#include "injection.h"
#include "message.h"
#include "obstacle.h"
#include "operand.h"
#include "option.h"
#include "order.h"
#include "units.h"

struct attachment {
    const struct settings *settings;
    uint64_t timeout; /* ns */
    enum method method;
    bool injected;
    struct prospect prospect;
    struct load_report report;
};

/* ---- getting in ---- */

/* An obstacle that may not be one is told when it turns out to be. */
static int look(struct attachment *a, pid_t pid)
{
    struct obstacle o[OBSTACLES_MAX];
    size_t count = obstacles_find(o, OBSTACLES_MAX, &a->prospect, pid, a->method);
    const struct obstacle *worst = obstacles_worst(o, count);
    return worst ? obstacle_tell(worst) : EXIT_OK;
}

static int inject(struct attachment *a, pid_t pid)
{
    int code = look(a, pid);
    if (code == EXIT_OK)
        code = injection_run(&a->prospect, a->timeout, &a->report);
    a->injected = code == EXIT_OK;
    return code;
}

/* ---- what is to be recorded ---- */

static bool add_line(char *rules, size_t *used, const char *name, const char *value)
{
    size_t room = CONTROL_RULES_MAX - *used;
    int n = snprintf(rules + *used, room, "%s%s\n", name, value);
    *used += (size_t)n;
    return (size_t)n < room;
}

static bool write_rules(const struct settings *s, char *rules)
{
    size_t used = 0;
    bool fits = true;
    rules[0] = '\0';
    for (size_t i = 0; i < s->match.count && fits; i++)
        fits = add_line(rules, &used, CONTROL_RULE_MATCH, s->match.text[i]);
    for (size_t i = 0; i < s->exclude.count && fits; i++)
        fits = add_line(rules, &used, CONTROL_RULE_EXCLUDE, s->exclude.text[i]);
    const struct {
        bool set;
        const char *line;
    } flags[] = {{s->all, CONTROL_RULE_ALL},
                 {s->builtins, CONTROL_RULE_BUILTINS},
                 {!s->no_start, CONTROL_RULE_START},
                 {s->while_attached, CONTROL_RULE_TETHER}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags && fits; i++)
        fits = !flags[i].set || add_line(rules, &used, flags[i].line, "");
    return fits;
}

static bool has_newline(const struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (strchr(l->text[i], '\n'))
            return true;
    return false;
}

/* ---- telling it ---- */

static void tell(const struct attachment *a, const struct subject *subject)
{
    char pause[UNITS_TEXT];
    const char *state = a->settings->no_start ? "it waits for tscap start" : "recording";
    units_write_time(pause, sizeof pause, a->report.pause_us * 1000);
    if (a->injected && a->report.pause_us)
        note("attached to process %d: %s; %s stopped for at most %s", (int)subject->pid, state,
             a->report.by_script ? "its threads were" : "one of its threads was", pause);
    else if (a->injected)
        note("attached to process %d: %s; no thread of it was stopped", (int)subject->pid, state);
    else
        note("attached to process %d: %s", (int)subject->pid, state);
}

/* Until we are ended, or the process is: the connection is what it goes by. */
static int stay(int fd, const struct subject *subject)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    note("until this command ends (^C)");
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    note("process %d has ended, or was detached from", (int)subject->pid);
    return EXIT_OK;
}

static int order(struct attachment *a, const struct subject *subject, const char *rules)
{
    struct control_reply reply;
    int fd = order_send_text(subject, CONTROL_ATTACH, rules);
    int r = fd < 0 ? fd : control_read_reply(fd, &reply, (int)(a->timeout / 1000000 + 1));
    int code = order_check(subject, CONTROL_ATTACH, a->timeout, r, &reply);
    if (code == EXIT_OK)
        tell(a, subject);
    if (code == EXIT_OK && a->settings->while_attached)
        code = stay(fd, subject);
    if (fd >= 0)
        close(fd);
    return code;
}

static int give_order(struct attachment *a)
{
    static char rules[CONTROL_RULES_MAX + 1];
    struct operand operand;
    const struct settings *s = a->settings;
    if (!write_rules(s, rules) || has_newline(&s->match) || has_newline(&s->exclude))
        return fail(EXIT_USAGE,
                    "the patterns cannot be sent\n"
                    "all of --match and --exclude together may have %d bytes, and no line breaks\n"
                    "tscap attach --help",
                    CONTROL_RULES_MAX);
    int code = operand_find(&operand, s, OPERAND_LIVING);
    if (code == EXIT_OK)
        code = order(a, operand.subject, rules);
    operand_free(&operand);
    return code;
}

/* ---- only looking ---- */

static int rehearse_ptrace(struct attachment *a)
{
    char pause[UNITS_TEXT];
    struct load_report report;
    const struct load l = {.pid = a->prospect.pid, .timeout_us = a->timeout / 1000};
    load_rehearse(&l, &report);
    int code = obstacle_of_load(&a->prospect, &report);
    if (code != EXIT_OK)
        return code;
    units_write_time(pause, sizeof pause, report.pause_us * 1000);
    printf("thread %d would be made to load %s\n", (int)report.tid, a->prospect.extension.library);
    printf("mode %c: %s\n", report.returning,
           report.returning == 'R' ? "it goes on by itself whatever happens to tscap" : "tscap must not be killed meanwhile");
    printf("it was stopped for %s to see whether it can be, and is as before\n", pause);
    return EXIT_OK;
}

static int rehearse(struct attachment *a, pid_t pid)
{
    char version[32];
    if (operand_is_prepared(pid)) {
        printf("process %d has timestamp_capture already: it would be told over its socket\n", (int)pid);
        return EXIT_OK;
    }
    int code = look(a, pid);
    if (code != EXIT_OK)
        return code;
    target_version(&a->prospect.target, version, sizeof version);
    printf("process %d is CPython %s (%s)\n", (int)pid, version, a->prospect.target.image);
    if (!a->prospect.runs_scripts)
        return rehearse_ptrace(a);
    printf("its threads would be asked to run a script that loads %s (PEP 768)\n", a->prospect.extension.library);
    return EXIT_OK;
}

static int read_method(const char *text, enum method *method)
{
    static const char *const names[] = {[METHOD_AUTO] = "auto", [METHOD_SCRIPT] = "pep768", [METHOD_PTRACE] = "ptrace"};
    for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *method = (enum method)i;
            return EXIT_OK;
        }
    if (!text)
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "--method: '%s' is none\n"
                "it takes auto, pep768 or ptrace\n"
                "tscap attach --help",
                text);
}

int cmd_attach(const struct settings *s)
{
    struct attachment a = {.settings = s, .timeout = setting_or(s->timeout, ORDER_TIMEOUT)};
    pid_t pid = operand_pid(s->operand);
    int code = read_method(s->method, &a.method);
    if (code != EXIT_OK)
        return code;
    if (s->dry_run && pid)
        return rehearse(&a, pid);
    code = pid && !operand_is_prepared(pid) ? inject(&a, pid) : EXIT_OK;
    return code == EXIT_OK ? give_order(&a) : code;
}
