#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metric.h"

static const struct profile_times some = {
    .calls = 9, .primitive_calls = 8, .open = 2, .raised = 1, .inclusive = 700, .exclusive = 300, .off_inclusive = 70, .off_exclusive = 30,
    .unknown_inclusive = 7, .unknown_exclusive = 3, .waited = 50, .elapsed = 750, .suspended = 1};

static uint64_t named(const char *name, const struct profile_times *t)
{
    for (size_t i = 0; i < metric_count; i++)
        if (metrics[i].name && strcmp(metrics[i].name, name) == 0)
            return metric_value(&metrics[i], t);
    cr_assert_fail("there is no metric %s", name);
    return 0;
}

Test(metric, every_field_is_a_metric)
{
    unsigned rows[sizeof(struct profile_times) / sizeof(uint64_t)] = {0};
    for (size_t i = 0; i < metric_count; i++)
        if (!metrics[i].less)
            rows[metrics[i].place / sizeof(uint64_t)]++;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(rows[i], 1, "field %zu has %u rows", i, rows[i]);
}

Test(metric, time_on_the_cpu_is_the_rest)
{
    cr_expect_eq(named("cpu_ns", &some), 630);
    cr_expect_eq(named("exclusive_cpu_ns", &some), 270);
    cr_expect_eq(named("waited_ns", &some), 50);
}

Test(metric, the_outermost_activations_alone_are_inclusive)
{
    struct profile_times sum = {0};
    metric_add(&sum, &some, true);
    metric_add(&sum, &some, false);
    cr_expect_eq(sum.calls, 18);
    cr_expect_eq(sum.exclusive, 600);
    cr_expect_eq(sum.off_exclusive, 60);
    cr_expect_eq(sum.waited, 100);
    cr_expect_eq(sum.inclusive, 700);
    cr_expect_eq(sum.elapsed, 750);
    cr_expect_eq(sum.off_inclusive, 70);
    cr_expect_eq(sum.unknown_inclusive, 7);
}

Test(metric, what_is_open_now_is_not_subtracted)
{
    struct profile_times t = some;
    metric_subtract(&t, &(struct profile_times){.calls = 4, .open = 1, .suspended = 1, .inclusive = 800, .exclusive = 100, .off_exclusive = 10});
    cr_expect_eq(t.calls, 5);
    cr_expect_eq(t.open, 2);
    cr_expect_eq(t.suspended, 1);
    cr_expect_eq(t.inclusive, 0, "never below 0");
    cr_expect_eq(t.exclusive, 200);
    cr_expect_eq(named("exclusive_cpu_ns", &t), 180);
}

/* ---- the schema of JSON says the same ---- */

static char *read_schema(void)
{
    const char *root = getenv("TSCAP_ROOT");
    char path[4096];
    snprintf(path, sizeof path, "%s/man/tscap.profile.schema.json", root ? root : ".");
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    cr_assert(f && text && fread(text, 1, (1 << 20) - 1, f) > 0, "%s", path);
    fclose(f);
    return text;
}

/* As the definition of `times` must have it: what is required, in the order in which it is written. */
static void write_required(char *buffer, size_t size)
{
    size_t used = (size_t)snprintf(buffer, size, "\"required\": [");
    for (size_t i = 0; i < metric_count; i++)
        if (metrics[i].name)
            used += (size_t)snprintf(buffer + used, size - used, "\"%s\", ", metrics[i].name);
    for (unsigned cpu = 0; cpu < 2; cpu++)
        for (size_t i = 0; i < metric_count; i++)
            if (metrics[i].ticks && (metrics[i].unit == METRIC_CPU_TICKS) == cpu)
                used += (size_t)snprintf(buffer + used, size - used, "\"%s\", ", metrics[i].ticks);
    snprintf(buffer + used - 2, size - used + 2, "],\n");
}

static bool describes(const char *text, const char *name, enum metric_unit unit)
{
    char property[128];
    snprintf(property, sizeof property, "\"%s\": { \"$ref\": \"#/definitions/%s\"", name, unit == METRIC_CPU_TICKS ? "maybe" : "count");
    return strstr(text, property);
}

Test(metric, the_schema_has_the_same_rows)
{
    char required[2048], *text = read_schema(), *times = strstr(text, "\"times\": {"), *end = times ? strstr(times, "\"site\": {") : NULL;
    unsigned described = 0, properties = 0;
    cr_assert(times && end);
    *end = '\0';
    write_required(required, sizeof required);
    cr_expect(strstr(times, required), "%s", required);
    for (size_t i = 0; i < metric_count; i++) {
        cr_expect(!metrics[i].name || describes(times, metrics[i].name, metrics[i].unit), "%s", metrics[i].name);
        cr_expect(!metrics[i].ticks || describes(times, metrics[i].ticks, metrics[i].unit), "%s", metrics[i].ticks);
        described += (metrics[i].name != NULL) + (metrics[i].ticks != NULL);
    }
    for (const char *p = times; (p = strstr(p, "\"$ref\"")); p++)
        properties++;
    cr_expect_eq(properties, described);
    free(text);
}

/* All of a site's figures that follow "ended", in the order in which they are written. */
Test(metric, the_schema_has_the_rows_of_a_spread)
{
    char required[1024], *text = read_schema(), *site = strstr(text, "\"site\": {"), *end = site ? strstr(site, "\"pair\": {") : NULL;
    size_t used = 0;
    unsigned properties = 0;
    cr_assert(site && end);
    *end = '\0';
    for (size_t i = 0; i < spread_metric_count; i++) {
        used += (size_t)snprintf(required + used, sizeof required - used, "%s\"%s\"", i ? ", " : "", spread_metrics[i].name);
        cr_expect(describes(site, spread_metrics[i].name, spread_metrics[i].unit), "%s", spread_metrics[i].name);
        cr_expect(spread_metrics[i].now, "of no spread there is a difference");
    }
    snprintf(required + used, sizeof required - used, "],\n");
    cr_expect(strstr(site, required), "%s", required);
    for (const char *p = strstr(site, "\"ended\": {"); p && (p = strstr(p, "\"$ref\"")); p++)
        properties++;
    cr_expect_eq(properties, spread_metric_count);
    free(text);
}

Test(metric, values_of_a_spread)
{
    const struct profile_spread s = {.ended = 3, .min = 5, .deviation = 7, .elapsed_p99 = 11};
    uint64_t sum = 0;
    for (size_t i = 0; i < spread_metric_count; i++)
        sum += metric_spread_value(&spread_metrics[i], &s);
    cr_expect_eq(sum, 26, "each field once");
}
