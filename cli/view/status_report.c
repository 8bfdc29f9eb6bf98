#include "status_report.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "consumers.h"
#include "cputime.h"
#include "json.h"
#include "process.h"
#include "profile.h"
#include "scale.h"
#include "units.h"
#include "version.h"

/* One row per line of the text and what JSON has in its place. A getter that writes nothing leaves its line out. */
struct status_field {
    const char *name;
    void (*get)(const struct status_report *s, char *buffer, size_t size);
    void (*write)(const struct status_report *s, struct json *j); /* NULL: another row has it */
};

static bool is_capture(const struct status_report *s) { return s->subject->captured; }

/* What was lost of one process; of a capture of several nobody knows of which. */
static bool knows_losses(const struct status_report *s) { return !is_capture(s) || s->profile; }

static uint64_t loss(const struct status_report *s, uint64_t in_segment, uint64_t in_profile)
{
    return !is_capture(s) ? in_segment : s->profile ? in_profile : 0;
}
#define LOSS(s, in_segment, in_profile) loss(s, (s)->header->in_segment, (s)->profile ? (s)->profile->in_profile : 0)

/* ---- the text ---- */

static void get_process(const struct status_report *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%d", (int)s->subject->pid);
}

static void get_container(const struct status_report *s, char *buffer, size_t size)
{
    if (s->subject->apart)
        snprintf(buffer, size, "process %d of a container", (int)s->subject->inner);
}

static void get_command(const struct status_report *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", subject_name(s->subject));
}

static void get_user(const struct status_report *s, char *buffer, size_t size)
{
    const struct passwd *user = getpwuid(s->subject->uid);
    snprintf(buffer, size, "%s (%lu)", user ? user->pw_name : "?", (unsigned long)s->subject->uid);
}

static void get_parent(const struct status_report *s, char *buffer, size_t size)
{
    if (s->header->parent_pid)
        snprintf(buffer, size, "%" PRIu32, s->header->parent_pid);
}

static void get_python(const struct status_report *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", s->header->python);
}

static void get_version(const struct status_report *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", s->header->version);
}

static void get_state(const struct status_report *s, char *buffer, size_t size)
{
    bool cut = !s->subject->alive && s->subject->session.running;
    snprintf(buffer, size, "%s%s", subject_state(s->subject), cut ? " (while it recorded)" : "");
}

/* Until when it recorded: of one that does, until now. Of one that died while it recorded nobody knows. */
static void get_session(const struct status_report *s, char *buffer, size_t size)
{
    const struct session_state *session = &s->subject->session;
    uint64_t began = clock_scale_instant(&s->scale, session->started), ended = clock_ns(CLOCK_MONOTONIC);
    if (!session->started || (session->running && !s->subject->alive && !is_capture(s)))
        return;
    if (!session->running)
        ended = clock_scale_instant(&s->scale, session->stopped);
    else if (is_capture(s))
        ended = clock_scale_instant(&s->scale, s->asof);
    units_write_time(buffer, size, ended > began ? ended - began : 0);
}

static void get_session_kind(const struct status_report *s, char *buffer, size_t size)
{
    uint32_t flags = s->header->session_flags;
    if (flags & SESSION_RUNNING && flags & SESSION_SUBPROCESSES)
        snprintf(buffer, size, "children record, too%s", flags & SESSION_INHERITED ? "; so does this one, as an ancestor does" : "");
}

static void get_segment(const struct status_report *s, char *buffer, size_t size)
{
    char bytes[UNITS_TEXT], most[UNITS_TEXT];
    if (is_capture(s))
        return;
    units_write_bytes(bytes, sizeof bytes, s->subject->bytes);
    units_write_bytes(most, sizeof most, s->header->capacity);
    snprintf(buffer, size, "%s (%s of at most %s)", s->subject->where, bytes, most);
}

static void get_capture(const struct status_report *s, char *buffer, size_t size)
{
    char bytes[UNITS_TEXT];
    if (!is_capture(s))
        return;
    units_write_bytes(bytes, sizeof bytes, s->subject->bytes);
    snprintf(buffer, size, "%s (%s)", s->subject->where, bytes);
}

static void get_functions(const struct status_report *s, char *buffer, size_t size)
{
    if (!is_capture(s))
        snprintf(buffer, size, "%" PRIu32, s->header->decorated);
}

/* The names are lines; the last may be cut short, and is none then. */
struct unmarked_names {
    char text[sizeof ((struct segment_header *)NULL)->unmarked_names];
    char *rest;
};

static const char *next_unmarked(struct unmarked_names *n)
{
    char *name = n->rest, *end = strchr(name, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    n->rest = end + 1;
    process_printable(name);
    return name;
}

static const char *first_unmarked(struct unmarked_names *n, const struct segment_header *h)
{
    snprintf(n->text, sizeof n->text, "%.*s", (int)sizeof n->text - 1, h->unmarked_names);
    n->rest = n->text;
    return next_unmarked(n);
}

static void get_unmarked(const struct status_report *s, char *buffer, size_t size)
{
    struct unmarked_names names;
    if (!s->header->unmarked || is_capture(s))
        return;
    size_t used = (size_t)snprintf(buffer, size, "%" PRIu32, s->header->unmarked);
    const char *lead = ": ";
    for (const char *name = first_unmarked(&names, s->header); name; name = next_unmarked(&names), lead = ", ")
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", lead, name);
}

static void get_armed(const struct status_report *s, char *buffer, size_t size)
{
    if (s->asked == 0)
        snprintf(buffer, size, "%" PRIu64, s->reply.armed);
    else if (s->subject->alive && s->subject->dirfd >= 0 && !is_capture(s))
        snprintf(buffer, size, "not known: no answer (%s)", strerror(-s->asked));
}

static void get_consumers(const struct status_report *s, char *buffer, size_t size)
{
    const char *unread = s->consumers < 0 ? "; who they are could not be read" : "";
    if ((s->subject->alive && !is_capture(s)) || s->consumers < 0)
        snprintf(buffer, size, "%" PRIu32 "%s", s->header->consumers, unread);
}

static void get_clock(const struct status_report *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s, %.6f ns a tick", clock_source_name(s->header->clock_source), s->scale.ns_per_tick);
}

static void get_cpu(const struct status_report *s, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s: %s", cputime_mode_name(s->header->cpu_mode), cputime_mode_bound(s->header->cpu_mode));
}

static void get_cost(const struct status_report *s, char *buffer, size_t size)
{
    uint64_t cost = LOSS(s, call_cost, call_cost);
    if (cost)
        snprintf(buffer, size, "%.0f ns a call", (double)cost / 1000);
}

static void get_lost(const struct status_report *s, char *buffer, size_t size)
{
    if (knows_losses(s))
        snprintf(buffer, size, "%" PRIu64 " calls of threads or functions without memory", LOSS(s, lost_calls, lost));
}

static void get_count(uint64_t count, const char *unit, char *buffer, size_t size)
{
    if (count)
        snprintf(buffer, size, "%" PRIu64 " %s", count, unit);
}

static void get_lost_threads(const struct status_report *s, char *buffer, size_t size)
{
    get_count(LOSS(s, lost_lanes, lost_lanes), "threads", buffer, size);
}

static void get_lost_sites(const struct status_report *s, char *buffer, size_t size)
{
    get_count(LOSS(s, lost_sites, lost_sites), "functions", buffer, size);
}

static void get_refused(const struct status_report *s, char *buffer, size_t size)
{
    get_count(LOSS(s, refused_growth, refused_growth), "times", buffer, size);
}

static void get_closes(const struct status_report *s, char *buffer, size_t size)
{
    if (profile_closes_untold(s->header))
        snprintf(buffer, size, "those closed where they wait count as suspended: Python %s does not tell", s->header->python);
}

static void get_interpreters(const struct status_report *s, char *buffer, size_t size)
{
    get_count(LOSS(s, interpreters, lost_interpreters), "besides the main one: nothing of them is recorded", buffer, size);
}

static void get_paused(const struct status_report *s, char *buffer, size_t size)
{
    get_count(LOSS(s, paused, paused), "times", buffer, size);
}

static void get_displaced(const struct status_report *s, char *buffer, size_t size)
{
    get_count(LOSS(s, displaced, displaced), "times", buffer, size);
}

/* ---- JSON ---- */

static void write_identity(const struct status_report *s, struct json *j)
{
    const struct subject *subject = s->subject;
    json_count(j, "pid", (uint64_t)subject->pid);
    json_bool(j, "container", subject->apart);
    json_count(j, "inner_pid", (uint64_t)subject->inner);
    json_count(j, "start_time", subject->start_time);
    json_string(j, "command", subject->command[0] ? subject->command : NULL);
    json_count(j, "uid", subject->uid);
    json_count(j, "parent_pid", s->header->parent_pid);
    json_string(j, "python", s->header->python);
    json_string(j, "extension_version", s->header->version);
}

static void write_state(const struct status_report *s, struct json *j)
{
    json_string(j, "state", subject_state(s->subject));
    json_bool(j, "alive", s->subject->alive);
}

static void write_instant(const struct status_report *s, struct json *j, const char *key, uint64_t ticks)
{
    if (ticks)
        json_count(j, key, clock_scale_instant(&s->scale, ticks));
    else
        json_null(j, key);
}

static void write_session(const struct status_report *s, struct json *j)
{
    const struct session_state *session = &s->subject->session;
    uint32_t flags = s->header->session_flags;
    json_object(j, "session");
    json_bool(j, "running", session->running);
    write_instant(s, j, "started_ns", session->started);
    write_instant(s, j, "stopped_ns", session->stopped);
    json_count(j, "resets", session->resets);
    json_bool(j, "subprocesses", flags & SESSION_RUNNING && flags & SESSION_SUBPROCESSES);
    json_bool(j, "inherited", flags & SESSION_INHERITED);
    json_end(j);
}

static void write_segment(const struct status_report *s, struct json *j)
{
    if (is_capture(s)) {
        json_null(j, "segment");
        return;
    }
    json_object(j, "segment");
    json_string(j, "path", s->subject->where);
    json_count(j, "bytes", s->subject->bytes);
    json_count(j, "bytes_most", s->header->capacity);
    json_end(j);
}

static void write_capture(const struct status_report *s, struct json *j)
{
    if (!is_capture(s)) {
        json_null(j, "capture");
        return;
    }
    json_object(j, "capture");
    json_string(j, "path", s->subject->where);
    json_count(j, "bytes", s->subject->bytes);
    json_end(j);
}

static void write_functions(const struct status_report *s, struct json *j)
{
    if (is_capture(s))
        json_null(j, "functions");
    else
        json_count(j, "functions", s->header->decorated);
}

static void write_unmarked(const struct status_report *s, struct json *j)
{
    if (is_capture(s)) {
        json_null(j, "not_recordable");
        return;
    }
    json_object(j, "not_recordable");
    json_count(j, "count", s->header->unmarked);
    json_array(j, "names");
    struct unmarked_names names;
    for (const char *name = first_unmarked(&names, s->header); name; name = next_unmarked(&names))
        json_string(j, NULL, name);
    json_end(j);
    json_end(j);
}

static void write_armed(const struct status_report *s, struct json *j)
{
    if (s->asked == 0)
        json_count(j, "armed", s->reply.armed);
    else
        json_null(j, "armed");
}

static void write_consumers(const struct status_report *s, struct json *j)
{
    json_count(j, "wanting", s->subject->alive && !is_capture(s) ? s->header->consumers : 0);
    consumers_json(j, "consumers", &s->audiences, &s->scale);
    json_bool(j, "consumers_read", s->consumers == 0);
}

static void write_clock(const struct status_report *s, struct json *j)
{
    json_object(j, "clock");
    json_string(j, "source", clock_source_name(s->header->clock_source));
    json_number(j, "ns_per_tick", s->scale.ns_per_tick);
    json_string(j, "cpu_mode", cputime_mode_name(s->header->cpu_mode));
    json_string(j, "cpu_error_bound", cputime_mode_bound(s->header->cpu_mode));
    json_end(j);
}

static void write_cost(const struct status_report *s, struct json *j)
{
    uint64_t cost = LOSS(s, call_cost, call_cost);
    if (cost)
        json_number(j, "ns_per_call", (double)cost / 1000);
    else
        json_null(j, "ns_per_call");
}

static void write_losses(const struct status_report *s, struct json *j)
{
    if (!knows_losses(s)) {
        json_null(j, "losses");
        return;
    }
    json_object(j, "losses");
    json_count(j, "calls", LOSS(s, lost_calls, lost));
    json_count(j, "threads", LOSS(s, lost_lanes, lost_lanes));
    json_count(j, "sites", LOSS(s, lost_sites, lost_sites));
    json_count(j, "refused_growth", LOSS(s, refused_growth, refused_growth));
    json_count(j, "interpreters", LOSS(s, interpreters, lost_interpreters));
    json_count(j, "paused", LOSS(s, paused, paused));
    json_count(j, "displaced", LOSS(s, displaced, displaced));
    json_end(j);
}

static void write_closes(const struct status_report *s, struct json *j) { json_bool(j, "closes_untold", profile_closes_untold(s->header)); }

/* ---- all of it ---- */

static const struct status_field fields[] = {
    {"process", get_process, write_identity},
    {"container", get_container, NULL},
    {"command", get_command, NULL},
    {"user", get_user, NULL},
    {"parent", get_parent, NULL},
    {"python", get_python, NULL},
    {"timestamp_capture", get_version, NULL},
    {"state", get_state, write_state},
    {"subprocesses", get_session_kind, write_session},
    {"recorded", get_session, NULL},
    {"segment", get_segment, write_segment},
    {"capture", get_capture, write_capture},
    {"functions", get_functions, write_functions},
    {"not recordable", get_unmarked, write_unmarked},
    {"armed", get_armed, write_armed},
    {"consumers", get_consumers, write_consumers},
    {"clock", get_clock, write_clock},
    {"cpu time", get_cpu, NULL},
    {"cost", get_cost, write_cost},
    {"lost", get_lost, write_losses},
    {"without memory", get_lost_threads, NULL},
    {"without a number", get_lost_sites, NULL},
    {"memory refused", get_refused, NULL},
    {"generators", get_closes, write_closes},
    {"interpreters", get_interpreters, NULL},
    {"paused", get_paused, NULL},
    {"displaced", get_displaced, NULL},
};
#define FIELDS (sizeof fields / sizeof *fields)

static void print_field(const struct status_field *field, const struct status_report *s)
{
    char text[2 * PATH_MAX] = "";
    field->get(s, text, sizeof text);
    if (text[0])
        printf("%-18s %s\n", field->name, text);
}

static bool print_one(const struct status_report *s)
{
    for (size_t i = 0; i < FIELDS; i++)
        print_field(&fields[i], s);
    uint64_t now = scale_same_boot(s->header) ? clock_ns(CLOCK_MONOTONIC) : 0;
    return consumers_print(&s->audiences, &s->scale, is_capture(s) ? clock_scale_instant(&s->scale, s->asof) : now);
}

bool status_report_print(const struct status_reports *all)
{
    bool whole = true;
    for (size_t i = 0; i < all->count && whole; i++) {
        if (i)
            putchar('\n');
        whole = print_one(&all->report[i]);
    }
    return whole;
}

static void write_one(const struct status_report *s, struct json *j)
{
    json_object(j, NULL);
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].write)
            fields[i].write(s, j);
    json_end(j);
}

bool status_report_json(const struct status_reports *all, FILE *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "schema", "tscap.status/1");
    json_string(&j, "tscap_version", TSCAP_VERSION);
    json_array(&j, "processes");
    for (size_t i = 0; i < all->count; i++)
        write_one(&all->report[i], &j);
    return json_finish(&j);
}
