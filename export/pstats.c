/* pstats: what cProfile writes, and pstats.Stats, snakeviz and gprof2dot read: marshalled
 *
 *     {(file, line, name): (primitive calls, calls, own seconds, cumulative seconds, {caller: (calls, primitive, own, cumulative)})}
 *
 * in which the two counts of calls change places between a function and its callers (Lib/cProfile.py does so, too). */
#include <stdlib.h>

#include "export.h"
#include "marshal.h"
#include "names.h"
#include "weight.h"

struct pstats {
    const struct export *e;
    FILE *out;
    char **name;
    const struct profile_pair **pair; /* by callee, caller */
    bool failed;
};

static int compare_pairs(const void *x, const void *y)
{
    const struct profile_pair *a = *(const struct profile_pair *const *)x, *b = *(const struct profile_pair *const *)y;
    int r = (a->callee > b->callee) - (a->callee < b->callee);
    return r ? r : (a->caller > b->caller) - (a->caller < b->caller);
}

static bool sort_pairs(struct pstats *w)
{
    const struct profile *p = w->e->profile;
    w->pair = calloc((size_t)p->pairs + 1, sizeof *w->pair);
    for (uint32_t i = 0; w->pair && i < p->pairs; i++)
        w->pair[i] = &p->pair[i];
    if (w->pair && p->pairs)
        qsort(w->pair, p->pairs, sizeof *w->pair, compare_pairs);
    return w->pair != NULL;
}

static void write_key(struct pstats *w, const struct profile_site *s)
{
    marshal_tuple(w->out, 3);
    w->failed |= marshal_text(w->out, s->file) < 0;
    marshal_int(w->out, s->line);
    w->failed |= marshal_text(w->out, w->name[s - w->e->profile->site]) < 0;
}

static void write_seconds(struct pstats *w, const struct profile_times *t)
{
    bool cpu = w->e->metric == EXPORT_CPU;
    marshal_float(w->out, (double)export_ns(w->e, cpu ? metric_cpu_exclusive(t) : t->exclusive) / 1e9);
    marshal_float(w->out, (double)export_ns(w->e, cpu ? metric_cpu_inclusive(t) : t->inclusive) / 1e9);
}

static void write_caller(struct pstats *w, const struct profile_pair *pair)
{
    const struct profile_site *caller = profile_site(w->e->profile, pair->caller);
    if (!caller)
        return;
    write_key(w, caller);
    marshal_tuple(w->out, 4);
    marshal_int(w->out, pair->t.calls);
    marshal_int(w->out, pair->t.primitive_calls);
    write_seconds(w, &pair->t);
}

/* `pair`: the first one of which it is the callee. The first one of which it is not. */
static uint32_t write_function(struct pstats *w, const struct profile_site *s, uint32_t pair)
{
    const struct profile *p = w->e->profile;
    write_key(w, s);
    marshal_tuple(w->out, 5);
    marshal_int(w->out, s->t.primitive_calls);
    marshal_int(w->out, s->t.calls);
    write_seconds(w, &s->t);
    marshal_dict(w->out);
    for (; pair < p->pairs && w->pair[pair]->callee == s->id; pair++)
        write_caller(w, w->pair[pair]);
    marshal_dict_end(w->out);
    return pair;
}

static void write_functions(struct pstats *w)
{
    const struct profile *p = w->e->profile;
    uint32_t pair = 0;
    marshal_dict(w->out);
    for (uint32_t i = 0; i < p->sites; i++) {
        while (pair < p->pairs && w->pair[pair]->callee < p->site[i].id)
            pair++;
        if (metric_any(&p->site[i].t))
            pair = write_function(w, &p->site[i], pair);
    }
    marshal_dict_end(w->out);
}

bool export_pstats(const struct export *e, FILE *out)
{
    struct pstats w = {.e = e, .out = out, .name = names_make(e->profile, NAMES_IN_LINE)};
    w.failed = !w.name || !sort_pairs(&w);
    if (!w.failed)
        write_functions(&w);
    names_free(w.name, e->profile);
    free(w.pair);
    return !w.failed;
}
