/* pprof (https://github.com/google/pprof/blob/main/proto/profile.proto): a sample is a call path of a thread, with what
 * the path counts itself: calls, wall-clock time, CPU time. Functions have no `system_name`: where it is the name, pprof takes
 * "<module>" for template arguments and shows "<unknown>". */
#include "pprof.h"

#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "names.h"
#include "protobuf.h"
#include "version.h"
#include "weight.h"

/* Numbers of fields. */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_LOCATION = 4, PROFILE_FUNCTION = 5, PROFILE_STRING = 6, PROFILE_TIME = 9,
       PROFILE_DURATION = 10, PROFILE_COMMENT = 13, PROFILE_DEFAULT_TYPE = 14 };
enum { TYPE_TYPE = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_TEXT = 2, LABEL_NUMBER = 3 };
enum { LOCATION_ID = 1, LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_FILE = 4, FUNCTION_LINE = 5 };

#define FLUSH 65536 /* bytes of the profile kept before they go on */
#define METRICS 3

struct pprof {
    const struct export *e;
    pprof_sink *sink;
    void *context; /* of `sink` */
    struct protobuf profile, part, inner, values; /* the profile's next fields; while a field of it is made */
    uint64_t strings; /* written so far; a string's number is how many there were before */
    uint64_t key_thread, key_tid, key_pid;
    struct protobuf labels; /* of a thread: fields of its samples */
    bool failed;
};

/* In the order of values; `calls` first, for it is no time. */
static const struct {
    enum export_metric metric;
    const char *type, *unit;
} types[METRICS] = {{EXPORT_CALLS, "calls", "count"}, {EXPORT_WALL, "wall", "nanoseconds"}, {EXPORT_CPU, "cpu", "nanoseconds"}};

static bool has_type(const struct pprof *w, size_t i) { return types[i].metric != EXPORT_CPU || w->e->cpu; }

/* Fields of the profile may come in any order, so it need not be in memory as a whole. */
static void flush(struct pprof *w, size_t least)
{
    if (w->profile.used < least)
        return;
    w->sink(w->context, w->profile.bytes, w->profile.used);
    protobuf_clear(&w->profile);
}

static void add_part(struct pprof *w, unsigned field)
{
    protobuf_message(&w->profile, field, &w->part);
    protobuf_clear(&w->part);
    flush(w, FLUSH);
}

static uint64_t add_string(struct pprof *w, const char *text)
{
    char *valid = escape_invalid(text);
    w->failed |= !valid;
    if (valid)
        protobuf_bytes(&w->profile, PROFILE_STRING, valid, strlen(valid));
    free(valid);
    return w->strings++;
}

/* ---- heading ---- */

static void add_types(struct pprof *w)
{
    for (size_t i = 0; i < METRICS; i++) {
        if (!has_type(w, i))
            continue;
        uint64_t type = add_string(w, types[i].type);
        protobuf_number(&w->part, TYPE_TYPE, type);
        protobuf_number(&w->part, TYPE_UNIT, add_string(w, types[i].unit));
        add_part(w, PROFILE_SAMPLE_TYPE);
        if (types[i].metric == w->e->metric)
            protobuf_number(&w->profile, PROFILE_DEFAULT_TYPE, type);
    }
}

static void add_heading(struct pprof *w)
{
    char title[512];
    add_string(w, ""); /* number 0 */
    add_types(w);
    protobuf_number(&w->profile, PROFILE_TIME, w->e->began);
    protobuf_number(&w->profile, PROFILE_DURATION, w->e->duration);
    protobuf_number(&w->profile, PROFILE_COMMENT, add_string(w, "tscap " TSCAP_VERSION));
    protobuf_number(&w->profile, PROFILE_COMMENT, add_string(w, names_title(w->e, title, sizeof title)));
    w->key_thread = add_string(w, "thread");
    w->key_tid = add_string(w, "tid");
    w->key_pid = add_string(w, "pid");
}

/* ---- functions, each in one place: the number of both is its index + 1 ---- */

static void add_function(struct pprof *w, uint64_t number, const char *name, const char *file, uint64_t line)
{
    protobuf_number(&w->part, FUNCTION_ID, number);
    protobuf_number(&w->part, FUNCTION_NAME, add_string(w, name));
    protobuf_number(&w->part, FUNCTION_FILE, file[0] ? add_string(w, file) : 0);
    protobuf_number(&w->part, FUNCTION_LINE, line);
    add_part(w, PROFILE_FUNCTION);
    protobuf_number(&w->inner, LINE_FUNCTION, number);
    protobuf_number(&w->inner, LINE_LINE, line);
    protobuf_number(&w->part, LOCATION_ID, number);
    protobuf_message(&w->part, LOCATION_LINE, &w->inner);
    protobuf_clear(&w->inner);
    add_part(w, PROFILE_LOCATION);
}

static void add_functions(struct pprof *w)
{
    const struct profile *p = w->e->profile;
    char **names = names_make(p, NAMES_IN_ALL);
    w->failed |= !names;
    for (uint32_t i = 0; names && i < p->sites; i++)
        add_function(w, i + 1, names[i], p->site[i].file, p->site[i].line);
    add_function(w, (uint64_t)p->sites + 1, NAMES_OTHER_PATHS, "", 0);
    names_free(names, p);
}

static uint64_t number_of(const struct profile *p, const struct profile_node *n)
{
    const struct profile_site *site = profile_site(p, n->site);
    return site ? (uint64_t)(site - p->site) + 1 : (uint64_t)p->sites + 1;
}

/* ---- samples ---- */

/* Labels of several processes' threads tell them apart; a label may occur once. */
static void add_label(struct pprof *w, uint64_t key, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    protobuf_number(&w->inner, LABEL_KEY, key);
    protobuf_number(&w->inner, field, value);
    protobuf_message(&w->labels, SAMPLE_LABEL, &w->inner);
    protobuf_clear(&w->inner);
}

static void make_labels(struct pprof *w, const struct profile_thread *t)
{
    const char *name = t->merged ? "(threads that ended)" : t->name[0] ? t->name : "(no name)";
    protobuf_clear(&w->labels);
    add_label(w, w->key_thread, LABEL_TEXT, add_string(w, name));
    add_label(w, w->key_tid, LABEL_NUMBER, t->merged ? 0 : t->tid);
    if (t->process < w->e->processes)
        add_label(w, w->key_pid, LABEL_NUMBER, (uint64_t)w->e->process[t->process].pid);
}

/* The innermost first. */
static void add_path(struct pprof *w, const struct profile_node *n, unsigned depth)
{
    const struct profile *p = w->e->profile;
    for (unsigned left = depth + 1; left; left--, n = &p->node[n->parent])
        protobuf_packed(&w->inner, number_of(p, n));
    protobuf_bytes(&w->part, SAMPLE_LOCATION, w->inner.bytes, w->inner.used);
    protobuf_clear(&w->inner);
}

static void add_sample(struct pprof *w, const struct profile_node *n, unsigned depth, struct weights *weights)
{
    uint64_t any = 0;
    protobuf_clear(&w->values);
    for (size_t i = 0; i < METRICS; i++) {
        uint64_t value = weights_next(&weights[i], weight_raw(types[i].metric, &n->t));
        if (!has_type(w, i))
            continue;
        protobuf_packed(&w->values, value);
        any |= value;
    }
    if (!any)
        return;
    add_path(w, n, depth);
    protobuf_message(&w->part, SAMPLE_VALUE, &w->values);
    protobuf_join(&w->part, &w->labels);
    add_part(w, PROFILE_SAMPLE);
}

static void add_samples(struct pprof *w)
{
    const struct profile *p = w->e->profile;
    struct weights weights[METRICS];
    for (size_t i = 0; i < METRICS; i++)
        weights[i] = weights_begin(w->e, types[i].metric);
    for (uint32_t i = 0; i < p->threads; i++) {
        unsigned depth = 0;
        make_labels(w, &p->thread[i]);
        for (uint32_t n = p->thread[i].first_root; n; n = profile_next(p, n, &depth))
            add_sample(w, &p->node[n], depth, weights);
    }
}

bool pprof_write(const struct export *e, pprof_sink *sink, void *context)
{
    struct pprof w = {.e = e, .sink = sink, .context = context};
    add_heading(&w);
    add_functions(&w);
    add_samples(&w);
    flush(&w, 1);
    bool whole = !w.failed && !w.profile.failed && !w.part.failed && !w.inner.failed && !w.values.failed && !w.labels.failed;
    protobuf_free(&w.profile);
    protobuf_free(&w.part);
    protobuf_free(&w.inner);
    protobuf_free(&w.values);
    protobuf_free(&w.labels);
    return whole;
}

static void write_plain(void *out, const void *bytes, size_t size) { fwrite(bytes, 1, size, out); }

bool export_pprof_plain(const struct export *e, FILE *out) { return pprof_write(e, write_plain, out); }
