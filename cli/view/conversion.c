#include "conversion.h"

#include <stdlib.h>

#include "recording.h"
#include "settings.h"
#include "source.h"

bool conversion_metric(const char *name, enum export_metric *metric)
{
    *metric = EXPORT_WALL;
    return !name || export_metric_named(name, metric);
}

/* As much of it as formats want. */
static struct recording_process *list_processes(const struct source *source)
{
    struct recording_process *process = calloc(source->count, sizeof *process);
    for (size_t i = 0; process && i < source->count; i++) {
        const struct subject *s = &source->member[i]->subject;
        process[i] = (struct recording_process){.pid = (uint32_t)s->pid, .command = (char *)s->command};
    }
    return process;
}

bool conversion_write(export_writer *write, const struct capture *c, const struct settings *s, FILE *out)
{
    enum export_metric metric;
    struct recording r = {
        .process = list_processes(c->source),
        .processes = (uint32_t)c->source->count,
        .profile = c->profile,
        .session = c->snapshot.session,
        .asof = c->snapshot.asof,
        .cpu_mode = c->snapshot.header.cpu_mode,
        .ns_per_tick = c->scale.ns_per_tick,
    };
    if (!r.process)
        return false;
    r.process[0].header = c->snapshot.header;
    conversion_metric(s->metric, &metric);
    bool whole = export_recording(write, &r, metric, s->invert, out);
    free(r.process);
    return whole;
}
