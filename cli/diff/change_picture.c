/* A flame graph of both sides: as wide as B has it, in the colours of what it has more or less than A. */
#include <inttypes.h>
#include <stdio.h>

#include "export.h"
#include "merged.h"
#include "sides.h"
#include "units.h"

#define TITLE 512

/* What B has not cannot be seen: it is in the title. */
static void write_title(const struct sides *s, const struct merged *m, char *buffer, size_t size)
{
    char gone[UNITS_TEXT];
    int used = snprintf(buffer, size, "%s, %zu and %zu captures", verdict_name(s->comparison.verdict), s->tally[SIDE_A].captures,
                        s->tally[SIDE_B].captures);
    units_write_time(gone, sizeof gone, m->gone);
    if (m->gone)
        snprintf(buffer + used, size - (size_t)used, "; gone, and not drawn: %s", gone);
}

bool sides_write_picture(const struct sides *s, FILE *out)
{
    struct merged m;
    char title[TITLE];
    bool whole = merged_make(&m, &s->comparison) == 0;
    write_title(s, &m, title, sizeof title);
    const struct export_process process = {.command = title};
    const struct export e = {
        .profile = &m.profile,
        .process = &process,
        .processes = 1,
        .scale = {.ns_per_tick = 1},
        .cpu = s->comparison.metric == QUANTITY_CPU,
        .metric = s->comparison.metric == QUANTITY_CPU ? EXPORT_CPU : EXPORT_WALL,
        .before = m.before,
    };
    whole = whole && export_svg(&e, out);
    merged_free(&m);
    return whole;
}
