#include "metric.h"

#define AT(field) offsetof(struct profile_times, field)

/* In the order of JSON. */
const struct metric metrics[] = {
    {"calls", NULL, METRIC_COUNT, METRIC_EACH, false, AT(calls), 0},
    {"primitive_calls", NULL, METRIC_COUNT, METRIC_EACH, false, AT(primitive_calls), 0},
    {"open", NULL, METRIC_COUNT, METRIC_EACH, true, AT(open), 0},
    {"raised", NULL, METRIC_COUNT, METRIC_EACH, false, AT(raised), 0},
    {"suspended", NULL, METRIC_COUNT, METRIC_EACH, true, AT(suspended), 0},
    {"inclusive_ns", "inclusive_ticks", METRIC_TICKS, METRIC_OUTERMOST, false, AT(inclusive), 0},
    {"exclusive_ns", "exclusive_ticks", METRIC_TICKS, METRIC_EACH, false, AT(exclusive), 0},
    {"cpu_ns", "cpu_ticks", METRIC_CPU_TICKS, METRIC_OUTERMOST, false, AT(inclusive), AT(off_inclusive)},
    {"exclusive_cpu_ns", "exclusive_cpu_ticks", METRIC_CPU_TICKS, METRIC_EACH, false, AT(exclusive), AT(off_exclusive)},
    {"cpu_unknown_ns", NULL, METRIC_CPU_TICKS, METRIC_OUTERMOST, false, AT(unknown_inclusive), 0},
    {"exclusive_cpu_unknown_ns", NULL, METRIC_CPU_TICKS, METRIC_EACH, false, AT(unknown_exclusive), 0},
    {"waited_ns", NULL, METRIC_TICKS, METRIC_EACH, false, AT(waited), 0},
    {"elapsed_ns", "elapsed_ticks", METRIC_TICKS, METRIC_OUTERMOST, false, AT(elapsed), 0},
    {"bytes", NULL, METRIC_COUNT, METRIC_EACH, false, AT(bytes), 0},
    {NULL, NULL, METRIC_TICKS, METRIC_OUTERMOST, false, AT(off_inclusive), 0},
    {NULL, NULL, METRIC_TICKS, METRIC_EACH, false, AT(off_exclusive), 0},
};
const size_t metric_count = sizeof metrics / sizeof *metrics;
_Static_assert(sizeof metrics / sizeof *metrics == sizeof(struct profile_times) / sizeof(uint64_t) + 2, "a row for each field, and the two made of others");

#define SPREAD(name, unit, field) {name, NULL, unit, METRIC_EACH, true, offsetof(struct profile_spread, field), 0}
const struct metric spread_metrics[] = {
    SPREAD("ended", METRIC_COUNT, ended),
    SPREAD("min_ns", METRIC_TICKS, min),
    SPREAD("max_ns", METRIC_TICKS, max),
    SPREAD("p50_ns", METRIC_TICKS, p50),
    SPREAD("p95_ns", METRIC_TICKS, p95),
    SPREAD("p99_ns", METRIC_TICKS, p99),
    SPREAD("stddev_ns", METRIC_TICKS, deviation),
    SPREAD("elapsed_min_ns", METRIC_TICKS, elapsed_min),
    SPREAD("elapsed_max_ns", METRIC_TICKS, elapsed_max),
    SPREAD("elapsed_p50_ns", METRIC_TICKS, elapsed_p50),
    SPREAD("elapsed_p95_ns", METRIC_TICKS, elapsed_p95),
    SPREAD("elapsed_p99_ns", METRIC_TICKS, elapsed_p99),
};
const size_t spread_metric_count = sizeof spread_metrics / sizeof *spread_metrics;
_Static_assert(sizeof spread_metrics / sizeof *spread_metrics == sizeof(struct profile_spread) / sizeof(uint64_t), "a row for each field");

uint64_t metric_spread_value(const struct metric *m, const struct profile_spread *s)
{
    return *(const uint64_t *)((const char *)s + m->place);
}

static uint64_t *field(struct profile_times *t, size_t place) { return (uint64_t *)((char *)t + place); }
static uint64_t value(const struct profile_times *t, size_t place) { return *(const uint64_t *)((const char *)t + place); }

uint64_t metric_value(const struct metric *m, const struct profile_times *t)
{
    return m->less ? metric_minus(value(t, m->place), value(t, m->less)) : value(t, m->place);
}

void metric_add(struct profile_times *to, const struct profile_times *t, bool outermost)
{
    for (const struct metric *m = metrics; m < metrics + metric_count; m++)
        if (!m->less && (outermost || m->sum == METRIC_EACH))
            *field(to, m->place) += value(t, m->place);
}

void metric_subtract(struct profile_times *t, const struct profile_times *before)
{
    for (const struct metric *m = metrics; m < metrics + metric_count; m++)
        if (!m->less && !m->now)
            *field(t, m->place) = metric_minus(value(t, m->place), value(before, m->place));
}
