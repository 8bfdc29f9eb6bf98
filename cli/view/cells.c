#include "cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

static const struct profile_times *times(const void *row) { return row; }
static const struct cells *cells(const void *context) { return context; }

uint64_t key_calls(const void *row, const void *context)
{
    (void)context;
    return times(row)->calls;
}

uint64_t key_open(const void *row, const void *context)
{
    (void)context;
    return times(row)->open;
}

uint64_t key_suspended(const void *row, const void *context)
{
    (void)context;
    return times(row)->suspended;
}

uint64_t key_elapsed(const void *row, const void *context)
{
    (void)context;
    return times(row)->elapsed;
}

uint64_t key_inclusive(const void *row, const void *context)
{
    (void)context;
    return times(row)->inclusive;
}

uint64_t key_exclusive(const void *row, const void *context)
{
    (void)context;
    return times(row)->exclusive;
}

uint64_t key_exclusive_cpu(const void *row, const void *context)
{
    return cells(context)->capture->cpu ? metric_cpu_exclusive(times(row)) : 0;
}

void cell_unknown(char *buffer, size_t size) { snprintf(buffer, size, "-"); }

void cell_count(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    snprintf(buffer, size, "%" PRIu64, c->key(row, context));
}

void cell_time(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    units_write_time(buffer, size, capture_ns(cells(context)->capture, c->key(row, context)));
}

void cell_cpu_time(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    if (!cells(context)->capture->cpu) {
        cell_unknown(buffer, size);
        return;
    }
    size_t mark = times(row)->unknown_exclusive ? strlen(CELLS_AT_LEAST) : 0;
    memcpy(buffer, CELLS_AT_LEAST, mark);
    cell_time(c, row, context, buffer + mark, size - mark);
}

void cell_percent(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    uint64_t whole = cells(context)->whole;
    snprintf(buffer, size, "%.1f", whole ? 100.0 * (double)c->key(row, context) / (double)whole : 0);
}
