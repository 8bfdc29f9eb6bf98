#include "attachment.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "injection.h"
#include "message.h"
#include "order.h"
#include "process.h"
#include "turn.h"
#include "units.h"

#define DETACHED_MEANWHILE 3 /* times, by others */
#define LOOK_NS 1000000
#define HEIRS_MS 1000 /* for those that a process which has ended has handed its attachment on to */

void attachment_init(struct attachment *a, const struct settings *s)
{
    *a = (struct attachment){
        .settings = s, .timeout = setting_or(s->timeout, ORDER_TIMEOUT), .tethered = s->while_attached, .tether = -1};
}

/* ---- getting in ---- */

/* `program & tscap attach $!` may find the shell that has not become the program yet, or what starts it. */
static void await_program(pid_t pid, uint64_t timeout_ns)
{
    struct target target;
    struct timespec pause = {.tv_nsec = LOOK_NS};
    uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + (timeout_ns < TARGET_NEW_NS ? timeout_ns : TARGET_NEW_NS);
    while (target_is_new(pid) && target_inspect(pid, &target) == 0 && !target.python && clock_ns(CLOCK_MONOTONIC) < deadline)
        nanosleep(&pause, NULL);
}

/* A problem that may not be one is told when it turns out to be. */
int attachment_look(struct attachment *a, pid_t pid)
{
    await_program(pid, a->timeout);
    plan_make(&a->plan, pid, a->method);
    return plan_check(&a->plan);
}

int attachment_bring(struct attachment *a, pid_t pid)
{
    turn_wait(pid, a->timeout / 1000);
    int code = attachment_look(a, pid);
    if (code == EXIT_OK)
        code = injection_run(&a->plan, a->timeout, &a->report);
    a->injected = code == EXIT_OK;
    return code;
}

int attachment_find(struct attachment *a, struct operand *o)
{
    pid_t pid = operand_pid(a->settings->operand);
    for (int i = 0; pid && i <= DETACHED_MEANWHILE; i++) {
        int code = operand_look(o, a->settings);
        if (code != EXIT_OK || o->subject)
            return code;
        operand_free(o);
        code = attachment_bring(a, pid);
        if (code != EXIT_OK)
            return code;
    }
    return operand_find(o, a->settings, OPERAND_LIVING);
}

/* ---- what is to be recorded ---- */

static bool add_line(char *rules, size_t *used, const char *name, const char *value)
{
    size_t room = CONTROL_RULES_MAX - *used;
    int n = snprintf(rules + *used, room, "%s%s\n", name, value);
    *used += (size_t)n;
    return (size_t)n < room;
}

/* Ourselves. */
static bool add_keeper(char *rules, size_t *used)
{
    uint64_t start_time;
    char text[64];
    if (process_start_time(getpid(), &start_time) < 0)
        return true;
    snprintf(text, sizeof text, "%ld %llu", (long)getpid(), (unsigned long long)start_time);
    return add_line(rules, used, CONTROL_RULE_KEEPER, text);
}

static bool write_rules(struct attachment *a)
{
    const struct settings *s = a->settings;
    char *rules = a->rules;
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
                 {s->subprocesses, CONTROL_RULE_SUBPROCESSES},
                 {s->keep, CONTROL_RULE_STAYS},
                 {a->tethered, CONTROL_RULE_TETHER},
                 {a->alone, CONTROL_RULE_ALONE}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags && fits; i++)
        fits = !flags[i].set || add_line(rules, &used, flags[i].line, "");
    return fits && (!a->keeps || add_keeper(rules, &used));
}

static bool has_newline(const struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (strchr(l->text[i], '\n'))
            return true;
    return false;
}

static int read_method(const char *text, const char *command, enum method *method)
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
                "tscap %s --help",
                text, command);
}

int attachment_check(struct attachment *a)
{
    const struct settings *s = a->settings;
    int code = read_method(s->method, s->command, &a->method);
    if (code != EXIT_OK)
        return code;
    if (s->memfd && a->method == METHOD_SCRIPT)
        return fail(EXIT_USAGE,
                    "--memfd does not go with --method pep768\n"
                    "through one of its threads only can a process be given memory\n"
                    "tscap %s --help",
                    s->command);
    if (s->memfd)
        a->method = METHOD_MEMFD;
    if (write_rules(a) && !has_newline(&s->match) && !has_newline(&s->exclude))
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "the patterns cannot be sent\n"
                "all of --match and --exclude together may have %d bytes, and no line breaks\n"
                "tscap %s --help",
                CONTROL_RULES_MAX, s->command);
}

/* Before 3.12 the interpreter has no events for them. */
static void tell_what_is_not_told(const struct subject *subject)
{
    int major, minor;
    if (sscanf(subject->header.python, "%d.%d", &major, &minor) == 2 && major == 3 && minor < 12)
        note("Python %s tells of no C functions of types of their own: numpy's ufuncs, Cython's functions and the like are not recorded",
             subject->header.python);
}

static void tell(const struct attachment *a, const struct subject *subject)
{
    char pause[UNITS_TEXT];
    int pid = (int)subject->pid;
    const char *state = a->settings->no_start ? "it waits for tscap start" : "recording";
    units_write_time(pause, sizeof pause, a->report.pause_us * 1000);
    if (a->refused)
        note("somebody is attached to process %d already: it is shown as it is, and stays so", pid);
    else if (a->injected && a->report.pause_us)
        note("attached to process %d: %s; %s stopped for at most %s", pid, state,
             a->report.by_script ? "its threads were" : "one of its threads was", pause);
    else if (a->injected)
        note("attached to process %d: %s; no thread of it was stopped", pid, state);
    else
        note("attached to process %d: %s", pid, state);
}

static int send_rules(const struct attachment *a, const struct subject *subject, int *fd, struct control_reply *reply)
{
    *fd = -1;
    if (order_ask(subject, CONTROL_STATUS, 0, a->timeout, reply) == -ETIMEDOUT) /* see there: it may have to listen anew */
        return -ETIMEDOUT;
    *fd = order_send_text(subject, CONTROL_ATTACH, a->rules, a->timeout);
    return *fd < 0 ? *fd : control_read_reply(*fd, reply, (int)(a->timeout / 1000000 + 1));
}

/* Nobody listens any more: it is being detached from. So it has to be brought in anew, if the process does not end. */
static int attach_anew(struct attachment *a, const struct subject *subject, int fd)
{
    if (fd >= 0)
        close(fd);
    return attachment_bring(a, subject->pid);
}

int attachment_order(struct attachment *a, const struct subject *subject)
{
    struct control_reply reply;
    int fd, code;
    int r = send_rules(a, subject, &fd, &reply);
    for (int i = 0; i < DETACHED_MEANWHILE && order_is_deaf(r); i++) {
        code = attach_anew(a, subject, fd);
        if (code != EXIT_OK)
            return code;
        r = send_rules(a, subject, &fd, &reply);
    }
    code = order_check(subject, CONTROL_ATTACH, a->timeout, r, &reply);
    a->refused = code == EXIT_OK && a->alone && reply.result == CONTROL_ALREADY;
    if (code == EXIT_OK)
        tell(a, subject);
    if (code == EXIT_OK && a->settings->builtins && !a->refused)
        tell_what_is_not_told(subject);
    if (code == EXIT_OK && a->tethered && !a->refused)
        a->tether = fd;
    else if (fd >= 0)
        close(fd);
    return code;
}

bool attachment_ordered(const struct attachment *a) { return a->tether >= 0 || a->refused; }

/* ---- getting out ---- */

bool attachment_lasts(const struct attachment *a)
{
    struct pollfd p = {.fd = a->tether, .events = POLLIN};
    return a->tether >= 0 && poll(&p, 1, 0) == 0;
}

/* It closes its side once it has detached. */
static int await_detachment(const struct attachment *a, const struct subject *subject)
{
    struct pollfd p = {.fd = a->tether, .events = POLLIN};
    struct control_reply reply = {.result = CONTROL_BUSY};
    int r;
    shutdown(a->tether, SHUT_WR);
    do
        r = poll(&p, 1, (int)(a->timeout / 1000000 + 1));
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return order_check(subject, CONTROL_DETACH, a->timeout, 0, &reply);
    note("detached from process %d", (int)subject->pid);
    return EXIT_OK;
}

/* Its heirs, if there are any, hear that we let go, and nobody need answer. */
static void let_go(const struct attachment *a)
{
    struct pollfd p = {.fd = a->tether, .events = POLLIN};
    shutdown(a->tether, SHUT_WR);
    while (poll(&p, 1, HEIRS_MS) < 0 && errno == EINTR)
        ;
}

/* It was brought in and then not told what for. */
static void take_back(const struct attachment *a, const struct subject *subject)
{
    struct control_reply reply;
    order_ask(subject, CONTROL_DETACH, 0, a->timeout, &reply);
}

int attachment_end(struct attachment *a, const struct subject *subject)
{
    int code = EXIT_OK;
    if (attachment_lasts(a) && !process_runs(subject->pid, subject->start_time))
        let_go(a);
    else if (attachment_lasts(a))
        code = await_detachment(a, subject);
    else if (a->injected && a->tethered && a->tether < 0 && !a->refused)
        take_back(a, subject);
    if (a->tether >= 0)
        close(a->tether);
    a->tether = -1;
    return code;
}
