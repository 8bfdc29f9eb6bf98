#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "cputime.h"
#include "family.h"
#include "message.h"
#include "operand.h"
#include "order.h"
#include "process.h"
#include "profile.h"
#include "scale.h"
#include "settings.h"
#include "units.h"

#define DEFAULT_TIMEOUT 1000000000u

/* Everything but the answer is read from the segment's header: it works for a process that is stopped or dead. */
struct status {
    const struct subject *subject;
    const struct segment_header *header;
    struct clock_scale scale;
    int asked; /* 0: `reply` holds; else -errno */
    struct control_reply reply;
};

/* One row per line of the output. A getter that writes nothing leaves its line out. */
struct status_field {
    const char *name;
    void (*get)(const struct status *s, char *buffer, size_t size);
};

static void get_process(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%d", (int)s->subject->pid);
}

static void get_container(const struct status *s, char *buffer, size_t size)
{
    if (s->subject->apart)
        snprintf(buffer, size, "process %d of a container", (int)s->subject->inner);
}

static void get_command(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", subject_name(s->subject));
}

static void get_user(const struct status *s, char *buffer, size_t size)
{
    const struct passwd *user = getpwuid(s->subject->uid);
    snprintf(buffer, size, "%s (%lu)", user ? user->pw_name : "?", (unsigned long)s->subject->uid);
}

static void get_parent(const struct status *s, char *buffer, size_t size)
{
    if (s->header->parent_pid)
        snprintf(buffer, size, "%" PRIu32, s->header->parent_pid);
}

static void get_python(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", s->header->python);
}

static void get_version(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", s->header->version);
}

static void get_state(const struct status *s, char *buffer, size_t size)
{
    bool cut = !s->subject->alive && s->subject->session.running;
    snprintf(buffer, size, "%s%s", subject_state(s->subject), cut ? " (while it recorded)" : "");
}

static void get_session(const struct status *s, char *buffer, size_t size)
{
    const struct session_state *session = &s->subject->session;
    uint64_t began = clock_scale_instant(&s->scale, session->started), ended = clock_ns(CLOCK_MONOTONIC);
    if (!session->started || (session->running && !s->subject->alive))
        return;
    if (!session->running)
        ended = clock_scale_instant(&s->scale, session->stopped);
    units_write_time(buffer, size, ended > began ? ended - began : 0);
}

static void get_session_kind(const struct status *s, char *buffer, size_t size)
{
    uint32_t flags = s->header->session_flags;
    if (flags & SESSION_RUNNING && flags & SESSION_SUBPROCESSES)
        snprintf(buffer, size, "children record, too%s", flags & SESSION_INHERITED ? "; so did this one from its start" : "");
}

static void get_segment(const struct status *s, char *buffer, size_t size)
{
    char bytes[UNITS_TEXT], most[UNITS_TEXT];
    units_write_bytes(bytes, sizeof bytes, s->subject->bytes);
    units_write_bytes(most, sizeof most, s->header->capacity);
    snprintf(buffer, size, "%s (%s of at most %s)", s->subject->where, bytes, most);
}

static void get_functions(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%" PRIu32, s->header->decorated);
}

static void get_unmarked(const struct status *s, char *buffer, size_t size)
{
    char names[sizeof s->header->unmarked_names];
    if (!s->header->unmarked)
        return;
    snprintf(names, sizeof names, "%.*s", (int)sizeof names - 1, s->header->unmarked_names);
    size_t n = (size_t)snprintf(buffer, size, "%" PRIu32, s->header->unmarked);
    for (char *line = names, *end; *line && (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        process_printable(line);
        n += (size_t)snprintf(buffer + n, size - n, "%s%s", line == names ? ": " : ", ", line);
    }
}

static void get_armed(const struct status *s, char *buffer, size_t size)
{
    if (s->asked == 0)
        snprintf(buffer, size, "%" PRIu64, s->reply.armed);
    else if (s->subject->alive)
        snprintf(buffer, size, "not known: no answer (%s)", strerror(-s->asked));
}

static void get_consumers(const struct status *s, char *buffer, size_t size)
{
    if (s->subject->alive)
        snprintf(buffer, size, "%" PRIu32, s->header->consumers);
}

static void get_clock(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s, %.6f ns a tick", clock_source_name(s->header->clock_source), s->scale.ns_per_tick);
}

static void get_cpu(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s: %s", cputime_mode_name(s->header->cpu_mode), cputime_mode_bound(s->header->cpu_mode));
}

static void get_cost(const struct status *s, char *buffer, size_t size)
{
    if (s->header->call_cost)
        snprintf(buffer, size, "%.0f ns a call", (double)s->header->call_cost / 1000);
}

static void get_lost(const struct status *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%" PRIu64 " calls of threads or functions without memory", s->header->lost_calls);
}

static void get_count(uint64_t count, const char *unit, char *buffer, size_t size)
{
    if (count)
        snprintf(buffer, size, "%" PRIu64 " %s", count, unit);
}

static void get_lost_threads(const struct status *s, char *buffer, size_t size)
{
    get_count(s->header->lost_lanes, "threads", buffer, size);
}

static void get_lost_sites(const struct status *s, char *buffer, size_t size)
{
    get_count(s->header->lost_sites, "functions", buffer, size);
}

static void get_refused(const struct status *s, char *buffer, size_t size)
{
    get_count(s->header->refused_growth, "times", buffer, size);
}

static void get_closes(const struct status *s, char *buffer, size_t size)
{
    if (profile_closes_untold(s->header))
        snprintf(buffer, size, "those closed where they wait count as suspended: Python %s does not tell", s->header->python);
}

static void get_interpreters(const struct status *s, char *buffer, size_t size)
{
    get_count(s->header->interpreters, "besides the main one: nothing of them is recorded", buffer, size);
}

static void get_paused(const struct status *s, char *buffer, size_t size)
{
    get_count(s->header->paused, "times", buffer, size);
}

static void get_displaced(const struct status *s, char *buffer, size_t size)
{
    get_count(s->header->displaced, "times", buffer, size);
}

static const struct status_field fields[] = {
    {"process", get_process},
    {"container", get_container},
    {"command", get_command},
    {"user", get_user},
    {"parent", get_parent},
    {"python", get_python},
    {"timestamp_capture", get_version},
    {"state", get_state},
    {"subprocesses", get_session_kind},
    {"recorded", get_session},
    {"segment", get_segment},
    {"functions", get_functions},
    {"not recordable", get_unmarked},
    {"armed", get_armed},
    {"consumers", get_consumers},
    {"clock", get_clock},
    {"cpu time", get_cpu},
    {"cost", get_cost},
    {"lost", get_lost},
    {"without memory", get_lost_threads},
    {"without a number", get_lost_sites},
    {"memory refused", get_refused},
    {"generators", get_closes},
    {"interpreters", get_interpreters},
    {"paused", get_paused},
    {"displaced", get_displaced},
};

static void print_field(const struct status_field *field, const struct status *s)
{
    char text[2 * PATH_MAX] = "";
    field->get(s, text, sizeof text);
    if (text[0])
        printf("%-18s %s\n", field->name, text);
}

static void show(const struct subject *subject, uint64_t timeout)
{
    struct status s = {.subject = subject, .header = &subject->header, .asked = -ESRCH};
    s.scale = scale_of_segment(s.header);
    if (subject->alive)
        s.asked = order_ask(subject, CONTROL_STATUS, 0, timeout, &s.reply);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        print_field(&fields[i], &s);
}

static int show_family(const struct operand *o, uint64_t timeout)
{
    struct family f;
    if (family_of(&f, &o->all, o->subject) < 0)
        return fail(EXIT_FAILED,
                    "cannot show the family of %d\n"
                    "out of memory\n"
                    "the same again",
                    (int)o->subject->pid);
    for (size_t i = 0; i < f.count; i++) {
        if (i)
            putchar('\n');
        show(f.relative[i].subject, timeout);
    }
    family_free(&f);
    return EXIT_OK;
}

int cmd_status(const struct settings *s)
{
    struct operand o;
    int code = operand_find(&o, s, OPERAND_PROCESS);
    uint64_t timeout = setting_or(s->timeout, DEFAULT_TIMEOUT);
    if (code == EXIT_OK && s->subprocesses)
        code = show_family(&o, timeout);
    else if (code == EXIT_OK)
        show(o.subject, timeout);
    operand_free(&o);
    return code;
}
