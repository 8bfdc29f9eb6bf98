#include "tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "names.h"

const char *quantity_name(enum quantity q)
{
    static const char *const names[QUANTITIES] = {
        [QUANTITY_CALLS] = "calls",           [QUANTITY_EXCLUSIVE] = "exclusive_ns", [QUANTITY_CPU] = "exclusive_cpu_ns",
        [QUANTITY_INCLUSIVE] = "inclusive_ns", [QUANTITY_ELAPSED] = "elapsed_ns",     [QUANTITY_P50] = "p50_ns",
        [QUANTITY_P95] = "p95_ns",            [QUANTITY_P99] = "p99_ns",
    };
    return names[q];
}

int tally_begin(struct tally *t, size_t captures)
{
    *t = (struct tally){.captures = captures};
    return counts_init(&t->known) ? 0 : -ENOMEM;
}

static void free_names(struct identity *who)
{
    free((char *)who->name);
    free((char *)who->module);
    free((char *)who->file);
}

void tally_free(struct tally *t)
{
    for (size_t i = 0; i < t->functions; i++) {
        free_names(&t->function[i].who);
        free(t->function[i].of);
    }
    for (size_t i = 1; i <= t->paths; i++)
        free(t->path[i].of);
    free(t->function);
    free(t->path);
    counts_free(&t->known);
    *t = (struct tally){0};
}

/* ---- what a capture says ---- */

static void fill_sums(uint64_t *of, const struct capture *c, const struct profile_times *t)
{
    of[QUANTITY_CALLS] = t->calls;
    of[QUANTITY_EXCLUSIVE] = capture_ns(c, t->exclusive);
    of[QUANTITY_CPU] = c->cpu ? capture_ns(c, metric_cpu_exclusive(t)) : TALLY_UNKNOWN;
    of[QUANTITY_INCLUSIVE] = capture_ns(c, t->inclusive);
    of[QUANTITY_ELAPSED] = capture_ns(c, t->elapsed);
}

static void fill_spread(uint64_t *of, const struct capture *c, const struct profile_spread *s)
{
    of[QUANTITY_P50] = s->ended ? capture_ns(c, s->p50) : TALLY_UNKNOWN;
    of[QUANTITY_P95] = s->ended ? capture_ns(c, s->p95) : TALLY_UNKNOWN;
    of[QUANTITY_P99] = s->ended ? capture_ns(c, s->p99) : TALLY_UNKNOWN;
}

/* ---- functions ---- */

static struct identity identity_of(const struct profile_site *s)
{
    return (struct identity){names_plain(s), s->module, s->file, s->line, s->kind, s->track};
}

/* Copies, also of where it is now. False: no memory, and nothing has changed. */
static bool keep_names(struct identity *to, const struct identity *from)
{
    struct identity kept = *from;
    kept.name = strdup(from->name);
    kept.module = strdup(from->module);
    kept.file = strdup(from->file);
    if (!kept.name || !kept.module || !kept.file) {
        free_names(&kept);
        return false;
    }
    free_names(to);
    *to = kept;
    return true;
}

static struct tally_function *new_function(struct tally *t)
{
    struct tally_function *functions = array_room(t->function, t->functions, &t->functions_room, sizeof *functions);
    if (!functions)
        return NULL;
    t->function = functions;
    struct tally_function *f = &t->function[t->functions];
    *f = (struct tally_function){.of = calloc(t->captures, QUANTITIES * sizeof *f->of)};
    t->functions += f->of != NULL;
    return f->of ? f : NULL;
}

/* Those of a capture that have calls: who they are, and which they are of its profile. */
struct called {
    struct identity *who;
    const struct profile_site **site;
    struct pairing *pairing;
    size_t count;
};

static void called_free(struct called *c)
{
    free(c->who);
    free(c->site);
    free(c->pairing);
}

static bool called_make(struct called *c, const struct profile *p)
{
    *c = (struct called){.who = calloc((size_t)p->sites + 1, sizeof *c->who),
                         .site = calloc((size_t)p->sites + 1, sizeof *c->site),
                         .pairing = calloc((size_t)p->sites + 1, sizeof *c->pairing)};
    if (!c->who || !c->site || !c->pairing)
        return false;
    for (uint32_t i = 0; i < p->sites; i++)
        if (metric_any(&p->site[i].t)) {
            c->who[c->count] = identity_of(&p->site[i]);
            c->site[c->count++] = &p->site[i];
        }
    return true;
}

static bool pair_called(const struct tally *t, struct called *c)
{
    struct identity *known = calloc(t->functions + 1, sizeof *known);
    for (size_t i = 0; known && i < t->functions; i++)
        known[i] = t->function[i].who;
    bool whole = known && pairing_make(c->pairing, known, t->functions, c->who, c->count, true);
    free(known);
    return whole;
}

/* `number`: in profile.site -> in t->function. */
static bool add_functions(struct tally *t, size_t capture, const struct capture *c, const struct called *called, uint32_t *number)
{
    for (size_t i = 0; i < called->count; i++) {
        const struct profile_site *site = called->site[i];
        size_t known = called->pairing[i].other;
        struct tally_function *f = known == PAIRING_NONE ? new_function(t) : &t->function[known];
        if (!f || !keep_names(&f->who, &called->who[i]))
            return false;
        fill_sums(&f->of[capture * QUANTITIES], c, &site->t);
        fill_spread(&f->of[capture * QUANTITIES], c, &site->spread);
        number[site - c->profile.site] = (uint32_t)(f - t->function);
    }
    return true;
}

/* ---- paths ---- */

static struct tally_path *new_path(struct tally *t, uint32_t parent, uint32_t function)
{
    struct tally_path *paths = array_room(t->path, t->paths + 1, &t->paths_room, sizeof *paths);
    if (!paths)
        return NULL;
    t->path = paths;
    struct tally_path *p = &t->path[t->paths + 1];
    *p = (struct tally_path){parent, function, calloc(t->captures, QUANTITY_SUMS * sizeof *p->of)};
    t->paths += p->of != NULL;
    return p->of ? p : NULL;
}

/* The one with this parent. NULL: no memory. */
static struct tally_path *find_path(struct tally *t, uint32_t parent, uint32_t function)
{
    uint64_t key = ((uint64_t)parent << 32 | function) + 1;
    uint32_t known = counts_get(&t->known, key);
    if (known)
        return &t->path[known];
    struct tally_path *p = new_path(t, parent, function);
    return p && counts_set(&t->known, key, (uint32_t)t->paths) ? p : NULL;
}

/* Any values will do; TALLY_UNKNOWN is none of them. */
static uint64_t plus(uint64_t a, uint64_t b) { return b < TALLY_UNKNOWN - a ? a + b : TALLY_UNKNOWN - 1; }

static void add_times(uint64_t *of, const struct capture *c, const struct profile_times *t)
{
    uint64_t more[QUANTITY_SUMS];
    fill_sums(more, c, t);
    for (enum quantity q = 0; q < QUANTITY_SUMS; q++)
        of[q] = of[q] == TALLY_UNKNOWN || more[q] == TALLY_UNKNOWN ? TALLY_UNKNOWN : plus(of[q], more[q]);
}

/* `path`: of each node of the profile, so far of those before it. */
static bool add_tree(struct tally *t, size_t capture, const struct capture *c, uint32_t root, const uint32_t *number, uint32_t *path)
{
    const struct profile *p = &c->profile;
    unsigned depth = 0;
    for (uint32_t i = root; i; i = profile_next(p, i, &depth)) {
        const struct profile_node *n = &p->node[i];
        const struct profile_site *site = profile_site(p, n->site);
        struct tally_path *found = find_path(t, depth ? path[n->parent] : 0, site ? number[site - p->site] : TALLY_OTHER);
        if (!found)
            return false;
        path[i] = (uint32_t)(found - t->path);
        add_times(&found->of[capture * QUANTITY_SUMS], c, &n->t);
    }
    return true;
}

static bool add_paths(struct tally *t, size_t capture, const struct capture *c, const uint32_t *number)
{
    const struct profile *p = &c->profile;
    uint32_t *path = calloc((size_t)p->nodes + 1, sizeof *path);
    bool whole = path != NULL;
    for (uint32_t i = 0; whole && i < p->threads; i++)
        whole = add_tree(t, capture, c, p->thread[i].first_root, number, path);
    free(path);
    return whole;
}

int tally_add(struct tally *t, size_t number, const struct capture *c)
{
    struct called called;
    uint32_t *function = calloc((size_t)c->profile.sites + 1, sizeof *function);
    bool whole = called_make(&called, &c->profile) && function;
    for (uint32_t i = 0; whole && i < c->profile.sites; i++)
        function[i] = TALLY_OTHER;
    whole = whole && pair_called(t, &called) && add_functions(t, number, c, &called, function) && add_paths(t, number, c, function);
    called_free(&called);
    free(function);
    return whole ? 0 : -ENOMEM;
}
