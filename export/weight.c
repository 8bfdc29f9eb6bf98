#include "weight.h"

uint64_t weight_raw(enum export_metric metric, const struct profile_times *t)
{
    switch (metric) {
    case EXPORT_WALL:
        return t->exclusive;
    case EXPORT_CPU:
        return metric_cpu_exclusive(t);
    case EXPORT_CALLS:
        return t->calls;
    }
    return 0;
}

uint64_t weights_next(struct weights *w, uint64_t raw)
{
    if (!w->scale)
        return raw;
    w->raw += raw;
    uint64_t now = clock_scale_duration(w->scale, w->raw), step = metric_minus(now, w->told);
    w->told = now;
    return step;
}
