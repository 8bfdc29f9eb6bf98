#include "change_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "saturate.h"
#include "units.h"

#define MOST 100 /* times as much, that is told as a share */

void change_write_outcome(const struct change *f, char *buffer, size_t size)
{
    snprintf(buffer, size, "%s%s", f->outcome == OUTCOME_TOO_FEW ? "too few" : outcome_name(f->outcome), f->over ? " !" : "");
}

void change_write_relative(double relative, char *buffer, size_t size)
{
    if (relative > MOST)
        snprintf(buffer, size, "> +%d %%", MOST * 100);
    else if (isnan(relative))
        snprintf(buffer, size, "-");
    else
        snprintf(buffer, size, "%+.1f %%", 100 * relative);
}

/* A call may take less than a nanosecond that it counts for. */
void change_write_per_call(const struct change *f, enum side side, char *buffer, size_t size)
{
    double ns = f->per_call[side];
    if (isnan(ns))
        snprintf(buffer, size, "-");
    else if (ns < 99.95)
        snprintf(buffer, size, "%.1f ns", ns);
    else
        units_write_time(buffer, size, saturated(ns));
}

void change_write_count(uint64_t count, char *buffer, size_t size)
{
    if (count == TALLY_UNKNOWN)
        snprintf(buffer, size, "-");
    else
        snprintf(buffer, size, "%" PRIu64, count);
}

void change_write_time(uint64_t ns, char *buffer, size_t size)
{
    if (ns == TALLY_UNKNOWN)
        snprintf(buffer, size, "-");
    else
        units_write_time(buffer, size, ns);
}

void change_write_probability(const struct change *f, double p, char *buffer, size_t size)
{
    if (!f->tested)
        snprintf(buffer, size, "-");
    else
        snprintf(buffer, size, p < 0.0001 ? "<.0001" : "%.4f", p);
}

void change_write_name(const struct change *f, char *buffer, size_t size)
{
    const struct identity *who = change_who(f);
    if (who->file[0])
        snprintf(buffer, size, "%s (%s:%" PRIu32 ")", who->name, who->file, who->line);
    else
        snprintf(buffer, size, "%s", who->name);
}
