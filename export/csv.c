/* CSV (RFC 4180): a row a function that was called, with a heading; times in nanoseconds, as the ends of their names say. */
#include <inttypes.h>
#include <string.h>

#include "escape.h"
#include "export.h"
#include "weight.h"

#define END "\r\n"

/* A spreadsheet would take it for a formula, and run it. */
static bool is_formula(const char *text) { return *text && strchr("=+-@\t\r", *text); }

static void write_text(FILE *out, const char *text)
{
    if (is_formula(text))
        fputs("\"'", out);
    else
        putc('"', out);
    escape_csv(out, text);
    fputs("\",", out);
}

static const char *kind_name(uint32_t kind)
{
    return kind == SITE_BLOCK ? "block" : kind == SITE_COLLECTOR ? "collector" : "function";
}

static void write_metrics(const struct export *e, const struct profile_times *t, FILE *out)
{
    for (const struct metric *m = metrics; m < metrics + metric_count; m++) {
        uint64_t value = metric_value(m, t);
        if (!m->name)
            continue;
        if (m->unit == METRIC_COUNT)
            fprintf(out, ",%" PRIu64, value);
        else if (m->unit == METRIC_CPU_TICKS && !e->cpu)
            putc(',', out);
        else
            fprintf(out, ",%" PRIu64, export_ns(e, value));
    }
}

/* Of no calls there are no times. */
static void write_spread(const struct export *e, const struct profile_spread *s, FILE *out)
{
    for (const struct metric *m = spread_metrics; m < spread_metrics + spread_metric_count; m++) {
        uint64_t value = metric_spread_value(m, s);
        if (m->unit == METRIC_COUNT)
            fprintf(out, ",%" PRIu64, value);
        else if (!s->ended)
            putc(',', out);
        else
            fprintf(out, ",%" PRIu64, export_ns(e, value));
    }
}

static void write_heading(FILE *out)
{
    fputs("name,qualname,module,file,line,track,kind", out);
    for (const struct metric *m = metrics; m < metrics + metric_count; m++)
        if (m->name)
            fprintf(out, ",%s", m->name);
    fputs(",processes", out);
    for (const struct metric *m = spread_metrics; m < spread_metrics + spread_metric_count; m++)
        fprintf(out, ",%s", m->name);
    fputs(END, out);
}

static void write_row(const struct export *e, const struct profile_site *s, FILE *out)
{
    write_text(out, s->name);
    write_text(out, s->qualname);
    write_text(out, s->module);
    write_text(out, s->file);
    fprintf(out, "%" PRIu32 ",%" PRIu32 ",%s", s->line, s->track, kind_name(s->kind));
    write_metrics(e, &s->t, out);
    fprintf(out, ",%" PRIu32, s->processes);
    write_spread(e, &s->spread, out);
    fputs(END, out);
}

bool export_csv(const struct export *e, FILE *out)
{
    write_heading(out);
    for (uint32_t i = 0; i < e->profile->sites; i++)
        if (metric_any(&e->profile->site[i].t))
            write_row(e, &e->profile->site[i], out);
    return true;
}
