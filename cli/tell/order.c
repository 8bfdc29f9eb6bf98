#include "order.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "filters.h"
#include "load.h"
#include "message.h"
#include "process.h"
#include "status.h"
#include "target.h"
#include "units.h"

#define SEND_TIMEOUT_MS 1000 /* a socket takes a request at once, or its queue is full */
#define GONE_NS 1000000000u  /* after that a socket that is not there does not come back */

/* ---- may it be told? ---- */

static struct filters_use use_of(enum control_command command)
{
    switch (command) {
    case CONTROL_START:
    case CONTROL_ATTACH:
    case CONTROL_TRACKS: /* what is switched on may be recorded at once */
        return (struct filters_use){.first = SECCOMP_RECORDING, .ours = SECCOMP_OBEYING | SECCOMP_RECORDING, .others = SECCOMP_RECORDING};
    case CONTROL_DETACH:
        return (struct filters_use){.ours = SECCOMP_OBEYING | SECCOMP_DETACHING};
    default:
        return (struct filters_use){.ours = SECCOMP_OBEYING};
    }
}

struct question {
    pid_t pid;
    struct filters_use use;
};

static void ask_filters(const void *what, struct load_report *r)
{
    const struct question *q = what;
    const char *call = filters_forbid(q->pid, &q->use);
    r->problem = call ? LOAD_REFUSED : LOAD_OK;
    snprintf(r->text, sizeof r->text, "%s", call ? call : "");
}

/* What it would do for us may not be to the liking of its seccomp filters, which end it. */
static bool is_forbidden(const struct subject *s, enum control_command command, struct load_report *r)
{
    const struct question q = {.pid = s->pid, .use = use_of(command)};
    if (!s->alive || !filters_may_be_known(s->pid, &q.use))
        return false;
    load_apart(ask_filters, &q, r);
    return r->problem == LOAD_REFUSED;
}

/* ---- telling it ---- */

/* In another user namespace our root may be nobody: there we come as the process' own user. What its listener hears of us is
 * what we are at connect(2). */
static int send_to(const struct subject *s, enum control_command command, uint32_t argument, const char *text, int timeout_ms)
{
    struct control_request request = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .command = command, .argument = argument};
    struct control_address to = {.dirfd = s->dirfd, .pid = s->inner, .start_time = s->start_time, .peer = s->alive ? s->pid : 0};
    struct load_report report;
    if (is_forbidden(s, command, &report))
        return -EPERM;
    bool disguised = s->apart && geteuid() == 0 && s->uid != 0 && seteuid(s->uid) == 0;
    int fd = control_send_text(&to, &request, text, timeout_ms);
    if (disguised && seteuid(0) != 0)
        abort(); /* cannot be: root is kept as the saved user id */
    return fd;
}

static int milliseconds_until(uint64_t deadline)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    return now < deadline ? (int)((deadline - now + 999999) / 1000000) : 0;
}

static int ask_once(const struct subject *s, enum control_command command, uint32_t argument, uint64_t deadline, struct control_reply *reply)
{
    int fd = send_to(s, command, argument, NULL, milliseconds_until(deadline));
    int r = fd < 0 ? fd : control_read_reply(fd, reply, milliseconds_until(deadline));
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

/* The connection's descriptor, or -errno.
 * A listener whose descriptors the program closes listens anew, as soon as it gets the interpreter's lock. Who comes just then is
 * dropped, or finds a socket that nobody listens at; or, for a moment, none, which is so for ever where somebody detached. */
int order_ask_on(const struct subject *subject, enum control_command command, uint32_t argument, uint64_t timeout_ns, struct control_reply *reply)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + timeout_ns;
    int r = ask_once(subject, command, argument, deadline, reply);
    uint64_t gone = clock_ns(CLOCK_MONOTONIC) + GONE_NS;
    bool anew = subject->alive && order_is_deaf(r) && r != -ENOENT;
    while (anew && order_is_deaf(r) && process_runs(subject->pid, subject->start_time)) {
        if (!milliseconds_until(r == -ENOENT && gone < deadline ? gone : deadline))
            break;
        nanosleep(&pause, NULL);
        r = ask_once(subject, command, argument, deadline, reply);
    }
    return r;
}

int order_ask(const struct subject *subject, enum control_command command, uint32_t argument, uint64_t timeout_ns, struct control_reply *reply)
{
    int fd = order_ask_on(subject, command, argument, timeout_ns, reply);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

bool order_is_deaf(int error) { return error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET || error == -EPIPE; }

bool order_may_come_round(const struct subject *s, int error)
{
    return order_is_deaf(error) && (error == -ENOENT || !process_runs(s->pid, s->start_time));
}

int order_send(const struct subject *subject, enum control_command command, uint32_t argument)
{
    return send_to(subject, command, argument, NULL, SEND_TIMEOUT_MS);
}

int order_send_text(const struct subject *subject, enum control_command command, const char *text, uint64_t timeout_ns)
{
    return send_to(subject, command, 0, text, (int)(timeout_ns / 1000000 + 1));
}

struct order {
    const struct subject *subject;
    enum control_command what;
    const char *command, *verb; /* what is typed, and how it is said */
    uint64_t timeout;
};

/* ---- why it did not work ---- */

static int timed_out(const struct order *o)
{
    char timeout[UNITS_TEXT];
    int pid = (int)o->subject->pid;
    char state = target_state(o->subject->pid);
    units_write_time(timeout, sizeof timeout, o->timeout);
    if (state == 'T' || state == 't')
        return fail(EXIT_TIMEOUT,
                    "process %d did not answer within %s\n"
                    "it is stopped (%s)\n"
                    "kill -CONT %d",
                    pid, timeout, state == 'T' ? "by a signal, SIGSTOP or ^Z" : "by a debugger", pid);
    return fail(EXIT_TIMEOUT,
                "process %d did not answer within %s\n"
                "it holds the interpreter's lock all the time, or gets no CPU\n"
                "tscap %s %d --timeout 60",
                pid, timeout, o->command, pid);
}

static int nobody_listens(const struct order *o)
{
    int pid = (int)o->subject->pid;
    if (!process_runs(o->subject->pid, o->subject->start_time))
        return fail(EXIT_NO_PROCESS,
                    "cannot %s %d\n"
                    "the process has just ended\n"
                    "tscap dump %d",
                    o->verb, pid, pid);
    struct status status;
    if (status_read(&status, o->subject->pid) == 0 && status.uid[1] != o->subject->uid)
        return fail(EXIT_FAILED,
                    "cannot %s %d\n"
                    "it is another user now (uid %lu) than when it made %s, and has closed the descriptors that it had of it\n"
                    "import timestamp_capture in the program after it becomes that user",
                    o->verb, pid, (unsigned long)status.uid[1], o->subject->where);
    return fail(EXIT_FAILED,
                "cannot %s %d\n"
                "nobody listens at the socket beside %s: the process is ending, or has replaced itself (exec)\n"
                "tscap status %d",
                o->verb, pid, o->subject->where, pid);
}

static int not_permitted(const struct order *o)
{
    struct load_report report;
    int pid = (int)o->subject->pid;
    if (is_forbidden(o->subject, o->what, &report))
        return fail(EXIT_PERMISSION,
                    "cannot %s %d\n"
                    "a seccomp filter answers %s with a signal (%s), which would end it; the process is as before\n"
                    "allow %s in the filter that the program puts on",
                    o->verb, pid, report.text, strsignal(SIGSYS), report.text);
    return fail(EXIT_PERMISSION,
                "cannot %s %d\n"
                "%s\n"
                "tscap status %d",
                o->verb, pid, strerror(EPERM), pid);
}

static int explain_error(const struct order *o, int error)
{
    int pid = (int)o->subject->pid;
    switch (-error) {
    case EPERM:
        return not_permitted(o);
    case ETIMEDOUT:
        return timed_out(o);
    case ENOENT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ESRCH:
        return nobody_listens(o);
    case EPROTO:
        return fail(EXIT_UNSUPPORTED,
                    "cannot %s %d\n"
                    "its timestamp_capture (%s) does not understand this tscap\n"
                    "use the tscap that came with it",
                    o->verb, pid, o->subject->header.version);
    default:
        return fail(exit_code_of_errno(error),
                    "cannot %s %d\n"
                    "%s\n"
                    "tscap status %d",
                    o->verb, pid, strerror(-error), pid);
    }
}

/* ---- what it answered ---- */

static int explain_reply(const struct order *o, const struct control_reply *reply)
{
    int pid = (int)o->subject->pid;
    switch (reply->result) {
    case CONTROL_OK:
    case CONTROL_ALREADY:
        return EXIT_OK;
    case CONTROL_BUSY:
        return timed_out(o);
    case CONTROL_FAILED:
        return fail(EXIT_FAILED,
                    "cannot %s %d\n"
                    "%s\n"
                    "tscap status %d",
                    o->verb, pid, reply->text, pid);
    default:
        return fail(EXIT_UNSUPPORTED,
                    "cannot %s %d\n"
                    "its timestamp_capture (%s) does not know this command\n"
                    "use the tscap that came with it",
                    o->verb, pid, o->subject->header.version);
    }
}

int order_check(const struct subject *subject, enum control_command command, uint64_t timeout_ns, int error, const struct control_reply *reply)
{
    const char *name = control_command_name(command);
    struct order o = {.subject = subject, .what = command, .command = name, .verb = name, .timeout = timeout_ns};
    if (command == CONTROL_TRACKS)
        o.verb = "switch tracks of";
    return error < 0 ? explain_error(&o, error) : explain_reply(&o, reply);
}

static void tell(const struct subject *subject, const struct control_reply *reply, const char *done, const char *already)
{
    int pid = (int)subject->pid;
    if (reply->result == CONTROL_ALREADY)
        note("process %d %s", pid, already);
    else
        note("%s process %d: %" PRIu64 " function%s decorated", done, pid, reply->sites, reply->sites == 1 ? "" : "s");
}

int order_give(const struct subject *subject, enum control_command command, uint64_t timeout_ns, const char *done, const char *already)
{
    struct control_reply reply;
    int r = order_ask(subject, command, 0, timeout_ns, &reply);
    int code = order_check(subject, command, timeout_ns, r, &reply);
    if (code == EXIT_OK)
        tell(subject, &reply, done, already);
    return code;
}

void order_tell_what_is_left(const struct subject *subject)
{
    struct subject now = *subject;
    subject_refresh(&now);
    if (now.error == 0 && now.session.started)
        note("what it recorded is still there: tscap dump %d%s", (int)now.pid, now.alive ? "" : "; tscap gc removes it");
    else if (now.error == -ENOENT)
        note("nothing of what it recorded is left (tscap attach --keep leaves it)");
}
