#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "cputime.h"

bool export_metric_named(const char *name, enum export_metric *metric)
{
    static const char *const names[] = {[EXPORT_WALL] = "wall", [EXPORT_CPU] = "cpu", [EXPORT_CALLS] = "calls"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *metric = (enum export_metric)i;
            return true;
        }
    return false;
}

static struct export_process *list_processes(const struct recording *r)
{
    struct export_process *process = calloc((size_t)r->processes + 1, sizeof *process);
    for (uint32_t i = 0; process && i < r->processes; i++)
        process[i] = (struct export_process){.pid = (long)r->process[i].pid, .command = r->process[i].command};
    return process;
}

static struct clock_scale scale_of(const struct recording *r)
{
    const struct segment_header *root = &r->process[0].header;
    return (struct clock_scale){root->anchor_ticks, root->anchor_monotonic, r->ns_per_tick};
}

/* When recording began, on the clock of the day; 0: it has not. */
static uint64_t day_of_start(const struct recording *r, const struct clock_scale *scale)
{
    const struct segment_header *root = &r->process[0].header;
    uint64_t started = r->session.started;
    return started ? root->anchor_realtime + (clock_scale_instant(scale, started) - root->anchor_monotonic) : 0;
}

bool export_recording(export_writer *write, const struct recording *r, enum export_metric metric, bool invert, FILE *out)
{
    struct export_process *process = list_processes(r);
    struct export e = {
        .profile = &r->profile,
        .process = process,
        .processes = r->processes,
        .scale = scale_of(r),
        .cpu = r->cpu_mode != CPUTIME_WALL,
        .metric = metric,
        .invert = invert,
    };
    e.began = day_of_start(r, &e.scale);
    e.duration = clock_scale_duration(&e.scale, session_span(&r->session, r->asof));
    bool whole = process && write(&e, out);
    free(process);
    return whole;
}
