#include "recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "version.h"

void recording_free(struct recording *r)
{
    for (uint32_t i = 0; i < r->processes; i++)
        free(r->process[i].command);
    for (uint32_t i = 0; i < r->notes; i++) {
        free(r->note[i].key);
        free(r->note[i].value);
    }
    free(r->process);
    free(r->consumer);
    free(r->note);
    profile_free(&r->profile);
    *r = (struct recording){0};
}

const char *recording_redacted_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- what those who make one fill in ---- */

static void add_note(struct recording_maker *m, const char *key, const char *value)
{
    m->note[m->notes++] = (struct recording_note){(char *)key, (char *)value};
}

void recording_maker_fill(struct recording_maker *m, const char *made_by)
{
    struct utsname system;
    *m = (struct recording_maker){.notes = 0};
    add_note(m, "tscap_version", TSCAP_VERSION);
    add_note(m, "made_by", made_by);
    if (uname(&system) == 0) {
        snprintf(m->system, sizeof m->system, "%s %s %s", system.sysname, system.release, system.machine);
        add_note(m, "system", m->system);
    }
    snprintf(m->cpus, sizeof m->cpus, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    add_note(m, "cpus", m->cpus);
}

static uint32_t count_consumers(const struct audiences *a)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        count += a->consumer[i].number != 0;
    return count;
}

int recording_add_consumers(struct recording *r, uint32_t process, const struct audiences *a, uint64_t seen)
{
    uint32_t count = count_consumers(a);
    struct recording_consumer *more = count ? realloc(r->consumer, ((size_t)r->consumers + count) * sizeof *more) : r->consumer;
    if (count && !more)
        return -ENOMEM;
    r->consumer = more;
    for (unsigned i = 0; i < SEGMENT_CONSUMERS; i++)
        if (a->consumer[i].number)
            more[r->consumers++] = (struct recording_consumer){.process = process, .seen = seen >> i & 1, .consumer = a->consumer[i]};
    return 0;
}

void recording_set_span(struct recording *r, const struct clock_scale *scale, uint64_t until)
{
    uint64_t offset = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC), started = r->session.started;
    r->ended = until + offset;
    r->began = started ? clock_scale_instant(scale, started) + offset : r->ended;
}

uint64_t session_span(const struct session_state *s, uint64_t asof)
{
    uint64_t end = s->running ? asof : s->stopped;
    return s->started && end > s->started ? end - s->started : 0;
}
