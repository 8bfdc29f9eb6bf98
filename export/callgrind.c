/* callgrind's profile format (https://valgrind.org/docs/manual/cl-format.html), for KCachegrind, callgrind_annotate, gprof2dot:
 *
 *     fl=(1) app.py            a function, by its file
 *     fn=(3) parent
 *     12 5000 4000             its own cost in its first line, of each event
 *     cfi=(1)                  what it called, as often
 *     cfn=(4) leaf
 *     calls=100 20
 *     12 9000 9000             and the inclusive cost of that
 *
 * A name is written where its number is first used. Calls without a recorded caller come from a function that stands for all that
 * is not recorded: readers sum a function's inclusive cost over its callers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "export.h"
#include "names.h"
#include "version.h"
#include "weight.h"

#define NO_CALLER "(not recorded)"
#define NO_FILE "???" /* as callgrind has it */

struct callgrind {
    const struct export *e;
    FILE *out;
    char **name;
    uint32_t *file; /* of each function: number of its file's name, from 1; 0: not yet known */
    uint32_t files;
    bool *file_told, *name_told; /* by number; by index + 1, [0]: NO_CALLER */
};

/* ---- names ---- */

struct file_of {
    const char *file;
    uint32_t index;
};

static int compare_files(const void *x, const void *y)
{
    const struct file_of *a = x, *b = y;
    int r = strcmp(a->file, b->file);
    return r ? r : (a->index > b->index) - (a->index < b->index);
}

static bool number_files(struct callgrind *w)
{
    const struct profile *p = w->e->profile;
    struct file_of *order = calloc((size_t)p->sites + 1, sizeof *order);
    for (uint32_t i = 0; order && i < p->sites; i++)
        order[i] = (struct file_of){p->site[i].file, i};
    if (order && p->sites)
        qsort(order, p->sites, sizeof *order, compare_files);
    for (uint32_t i = 0; order && i < p->sites; i++) {
        w->files += i == 0 || strcmp(order[i].file, order[i - 1].file) != 0;
        w->file[order[i].index] = w->files;
    }
    free(order);
    return order != NULL;
}

static void write_name(struct callgrind *w, const char *key, uint32_t number, bool *told, const char *name)
{
    fprintf(w->out, "%s=(%" PRIu32 ")", key, number);
    if (!*told) {
        putc(' ', w->out);
        escape_line(w->out, name, "");
    }
    *told = true;
    putc('\n', w->out);
}

/* NULL: what is not recorded; its file has the number after the last. */
static void write_function(struct callgrind *w, const struct profile_site *s, const char *file_key, const char *name_key)
{
    uint32_t index = s ? (uint32_t)(s - w->e->profile->site) + 1 : 0;
    uint32_t file = s ? w->file[index - 1] : w->files + 1;
    write_name(w, file_key, file, &w->file_told[file], s && s->file[0] ? s->file : NO_FILE);
    write_name(w, name_key, index + 1, &w->name_told[index], s ? w->name[index - 1] : NO_CALLER);
}

/* ---- costs ---- */

static void write_costs(struct callgrind *w, uint32_t line, uint64_t wall, uint64_t cpu)
{
    fprintf(w->out, "%" PRIu32 " %" PRIu64, line, wall);
    if (w->e->cpu)
        fprintf(w->out, " %" PRIu64, cpu);
    putc('\n', w->out);
}

static void write_call(struct callgrind *w, uint32_t line, const struct profile_pair *pair)
{
    const struct profile_site *callee = profile_site(w->e->profile, pair->callee);
    if (!callee)
        return;
    write_function(w, callee, "cfi", "cfn");
    fprintf(w->out, "calls=%" PRIu64 " %" PRIu32 "\n", pair->t.calls, callee->line);
    write_costs(w, line, export_ns(w->e, pair->t.inclusive), export_ns(w->e, metric_cpu_inclusive(&pair->t)));
}

/* `site`: NULL: none recorded. `pair`: the first one of which it is the caller. The first one of which it is not. */
static uint32_t write_block(struct callgrind *w, const struct profile_site *site, uint32_t pair)
{
    const struct profile *p = w->e->profile;
    uint32_t id = site ? site->id : 0, line = site ? site->line : 0;
    putc('\n', w->out);
    write_function(w, site, "fl", "fn");
    if (site)
        write_costs(w, line, export_ns(w->e, site->t.exclusive), export_ns(w->e, metric_cpu_exclusive(&site->t)));
    for (; pair < p->pairs && p->pair[pair].caller == id; pair++)
        write_call(w, line, &p->pair[pair]);
    return pair;
}

static void write_blocks(struct callgrind *w)
{
    const struct profile *p = w->e->profile;
    uint32_t pair = p->pairs && p->pair[0].caller == 0 ? write_block(w, NULL, 0) : 0;
    for (uint32_t i = 0; i < p->sites; i++) {
        while (pair < p->pairs && p->pair[pair].caller < p->site[i].id)
            pair++;
        if (metric_any(&p->site[i].t))
            pair = write_block(w, &p->site[i], pair);
    }
}

/* ---- the whole ---- */

static void write_heading(struct callgrind *w)
{
    char title[512];
    fputs("# callgrind format\nversion: 1\ncreator: tscap " TSCAP_VERSION "\n", w->out);
    if (w->e->processes)
        fprintf(w->out, "pid: %ld\n", w->e->process[0].pid);
    fputs("cmd: ", w->out);
    escape_line(w->out, names_title(w->e, title, sizeof title), "");
    fputs("\npositions: line\nevent: Wall : wall-clock time (ns)\n", w->out);
    fputs(w->e->cpu ? "event: Cpu : CPU time (ns)\nevents: Wall Cpu\n" : "events: Wall\n", w->out);
}

/* The sum of what was written, for readers compare. */
static void write_totals(struct callgrind *w)
{
    const struct profile *p = w->e->profile;
    uint64_t wall = 0, cpu = 0;
    for (uint32_t i = 0; i < p->sites; i++) {
        wall += export_ns(w->e, p->site[i].t.exclusive);
        cpu += export_ns(w->e, metric_cpu_exclusive(&p->site[i].t));
    }
    fprintf(w->out, "\ntotals: %" PRIu64, wall);
    if (w->e->cpu)
        fprintf(w->out, " %" PRIu64, cpu);
    putc('\n', w->out);
}

bool export_callgrind(const struct export *e, FILE *out)
{
    const struct profile *p = e->profile;
    struct callgrind w = {.e = e, .out = out, .name = names_make(p, NAMES_IN_FILE)};
    w.file = calloc((size_t)p->sites + 1, sizeof *w.file);
    w.file_told = calloc((size_t)p->sites + 2, sizeof *w.file_told);
    w.name_told = calloc((size_t)p->sites + 1, sizeof *w.name_told);
    bool whole = w.name && w.file && w.file_told && w.name_told && number_files(&w);
    if (whole) {
        write_heading(&w);
        write_blocks(&w);
        write_totals(&w);
    }
    names_free(w.name, p);
    free(w.file);
    free(w.file_told);
    free(w.name_told);
    return whole;
}
