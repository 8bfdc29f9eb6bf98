#include "groups.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "names.h"
#include "terminal.h"

bool group_by_name(const char *name, enum group_by *by)
{
    static const char *const names[] = {[GROUP_MODULE] = "module", [GROUP_FILE] = "file", [GROUP_PREFIX] = "prefix"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *by = (enum group_by)i;
            return true;
        }
    return false;
}

/* ---- which groups a function is in ---- */

/* What it is found by: the beginning of a name. */
struct key {
    char *text;
    uint32_t at; /* in groups.member */
};

struct keys {
    struct key *key;
    size_t count, room;
    bool failed;
};

static void add_key(struct keys *k, const char *text, size_t length)
{
    struct key *key = k->failed ? NULL : array_room(k->key, k->count, &k->room, sizeof *key);
    char *copy = key ? strndup(text, length) : NULL;
    if (key)
        k->key = key;
    k->failed |= !copy;
    if (copy)
        k->key[k->count] = (struct key){copy, (uint32_t)k->count};
    k->count += copy != NULL;
}

static void add_named(struct keys *k, const char *name, const char *without)
{
    const char *text = name[0] ? name : without;
    add_key(k, text, strlen(text));
}

/* "a.<locals>" has what "a" has inside. */
static void add_prefixes(struct keys *k, const char *name)
{
    static const char locals[] = ".<locals>";
    size_t before = k->count;
    for (const char *dot = name; *dot && (dot = strchr(dot + 1, '.')) && k->count - before < GROUP_LEVELS;) {
        size_t length = (size_t)(dot - name);
        if (length < sizeof locals || strncmp(dot - (sizeof locals - 1), locals, sizeof locals - 1) != 0)
            add_key(k, name, length);
    }
    if (k->count == before)
        add_key(k, "(no prefix)", strlen("(no prefix)"));
}

/* A name of the user's choice stands for itself, as in the tables. */
static void add_prefixes_of(struct keys *k, const struct profile_site *s)
{
    char *name;
    bool qualified = s->module[0] && names_plain(s) == s->qualname;
    if (asprintf(&name, "%s%s%s", qualified ? s->module : "", qualified ? "." : "", names_plain(s)) < 0) {
        k->failed = true;
        return;
    }
    add_prefixes(k, name);
    free(name);
}

static void add_keys_of(struct keys *k, const struct profile_site *s, enum group_by by)
{
    if (by == GROUP_MODULE)
        add_named(k, s->module, "(no module)");
    else if (by == GROUP_FILE)
        add_named(k, s->file, "(no file)");
    else
        add_prefixes_of(k, s);
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int r = strcmp(x->text, y->text);
    return r ? r : (x->at > y->at) - (x->at < y->at);
}

/* One row for those that are alike, which takes the first one's text over. */
static void number_groups(struct groups *g, struct keys *k)
{
    qsort(k->key, k->count, sizeof *k->key, compare_keys);
    for (size_t i = 0; i < k->count; i++) {
        if (!g->count || strcmp(g->row[g->count - 1].name, k->key[i].text) != 0) {
            g->row[g->count++].name = k->key[i].text;
            k->key[i].text = NULL;
        }
        g->member[k->key[i].at] = (uint32_t)g->count - 1;
    }
}

static void find_groups(struct groups *g, struct keys *k, enum group_by by)
{
    const struct profile *p = &g->cells.capture->profile;
    g->first = calloc((size_t)p->sites + 1, sizeof *g->first);
    k->failed = !g->first;
    for (uint32_t i = 0; i < p->sites && !k->failed; i++) {
        if (metric_any(&p->site[i].t))
            add_keys_of(k, &p->site[i], by);
        g->first[i + 1] = (uint32_t)k->count;
    }
    g->row = calloc(k->count + 1, sizeof *g->row);
    g->member = calloc(k->count + 1, sizeof *g->member);
    k->failed |= !g->row || !g->member;
    if (!k->failed && k->count)
        number_groups(g, k);
}

/* ---- sums ---- */

/* All but inclusive times, exact whether paths are known or not. */
static void add_functions(struct groups *g)
{
    const struct profile *p = &g->cells.capture->profile;
    for (uint32_t i = 0; i < p->sites; i++) {
        g->cells.whole += p->site[i].t.exclusive;
        for (uint32_t m = g->first[i]; m < g->first[i + 1]; m++) {
            struct group_row *row = &g->row[g->member[m]];
            metric_add(&row->t, &p->site[i].t, false);
            row->functions++;
        }
    }
}

/* A path, as the sites on it. */
struct walk {
    struct groups *groups;
    const struct profile_site **site; /* [depths], NULL: (other) */
    size_t depths, room;
    unsigned other; /* levels from which on paths are not known; UINT32_MAX: all are */
};

static void enter(struct walk *w, const struct profile_node *n, const struct profile_site *site)
{
    struct groups *g = w->groups;
    size_t i = (size_t)(site - g->cells.capture->profile.site);
    bool known = w->depths <= w->other;
    for (uint32_t m = g->first[i]; m < g->first[i + 1]; m++) {
        struct group_row *row = &g->row[g->member[m]];
        row->at_least |= !known;
        if (row->entered++ == 0)
            row->t.inclusive += known ? n->t.inclusive : n->t.exclusive;
    }
}

static void leave_to(struct walk *w, size_t depth)
{
    struct groups *g = w->groups;
    while (w->depths > depth) {
        const struct profile_site *site = w->site[--w->depths];
        size_t i = site ? (size_t)(site - g->cells.capture->profile.site) : 0;
        for (uint32_t m = site ? g->first[i] : 0; m < (site ? g->first[i + 1] : 0); m++)
            g->row[g->member[m]].entered--;
    }
    if (w->depths <= w->other)
        w->other = UINT32_MAX;
}

static bool step(struct walk *w, const struct profile *p, uint32_t i, unsigned depth)
{
    leave_to(w, depth);
    const struct profile_site **more = array_room(w->site, w->depths, &w->room, sizeof *more);
    if (!more)
        return false;
    w->site = more;
    const struct profile_site *site = p->node[i].other ? NULL : profile_site(p, p->node[i].site);
    if (site)
        enter(w, &p->node[i], site);
    else if (w->other == UINT32_MAX)
        w->other = (unsigned)w->depths;
    w->site[w->depths++] = site;
    return true;
}

/* Inclusive times: of the outermost of a group's functions on each path. */
static bool add_paths(struct groups *g)
{
    bool whole = true;
    struct walk w = {.groups = g, .other = UINT32_MAX};
    const struct profile *p = &g->cells.capture->profile;
    for (uint32_t i = 0; i < p->threads && whole; i++) {
        unsigned depth = 0;
        for (uint32_t n = p->thread[i].first_root; n && whole; n = profile_next(p, n, &depth))
            whole = step(&w, p, n, depth);
        leave_to(&w, 0);
    }
    free(w.site);
    return whole;
}

int groups_make(struct groups *g, const struct capture *c, enum group_by by)
{
    struct keys k = {0};
    *g = (struct groups){.cells.capture = c};
    find_groups(g, &k, by);
    for (size_t i = 0; i < k.count; i++)
        free(k.key[i].text);
    free(k.key);
    if (k.failed)
        return -ENOMEM;
    add_functions(g);
    return add_paths(g) ? 0 : -ENOMEM;
}

void groups_free(struct groups *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->row[i].name);
    free(g->row);
    free(g->member);
    free(g->first);
    *g = (struct groups){.count = 0};
}

/* ---- the table ---- */

#define ROW(pointer) ((const struct group_row *)(pointer))

static uint64_t key_functions(const void *row, const void *context) { (void)context; return ROW(row)->functions; }

static void cell_inclusive(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    size_t mark = ROW(row)->at_least ? strlen(CELLS_AT_LEAST) : 0;
    memcpy(buffer, CELLS_AT_LEAST, mark);
    cell_time(c, row, context, buffer + mark, size - mark);
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ROW(row)->name);
}

const struct column group_columns[] = {
    {"calls", "calls", "calls of its functions", 1, false, 0, cell_count, key_calls, NULL, NULL},
    {"inclusive", "inclusive", "time in its functions and all they called, counted once", 1, false, 1, cell_inclusive, key_inclusive, NULL, NULL},
    {"exclusive", "exclusive", "time in its functions themselves", 1, false, 0, cell_time, key_exclusive, NULL, NULL},
    {"percent", "%", "exclusive, as a share of all functions", 1, false, 2, cell_percent, key_exclusive, NULL, NULL},
    {"cpu", "CPU", "exclusive time on a CPU", 1, false, 3, cell_cpu_time, key_exclusive_cpu, NULL, NULL},
    {"open", "open", "calls that have not ended", 1, false, 5, cell_count, key_open, NULL, NULL},
    {"functions", "functions", "functions and blocks that were called", 1, false, 4, cell_count, key_functions, NULL, NULL},
    {"name", "name", "what they have in common", 1, true, 0, cell_name, NULL, &text_fit_end, NULL},
    {0},
};

static size_t list_rows(const struct groups *g, const struct groups_options *o, const void **order)
{
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++)
        if (filter_fits(o->filter, g->row[i].name))
            order[count++] = &g->row[i];
    column_sort(o->sort, order, count, g);
    return count;
}

static bool print_rows(const struct groups *g, const struct groups_options *o, const void **order, size_t count)
{
    struct table t;
    table_begin(&t, group_columns, 1, g);
    table_keep(&t, o->sort);
    table_choose(&t, o->columns);
    for (size_t i = 0; i < count && i < o->limit; i++)
        table_add(&t, order[i]);
    bool whole = table_finish(&t, stdout, o->width, terminal_styled());
    if (count > o->limit)
        printf("%" PRIu64 " more not shown (--limit)\n", count - o->limit);
    if (count < g->count)
        printf("%zu of %zu not shown (--filter)\n", g->count - count, g->count);
    return whole;
}

bool groups_print(const struct capture *c, enum group_by by, const struct groups_options *o)
{
    struct groups g;
    int r = groups_make(&g, c, by);
    const void **order = r == 0 ? calloc(g.count + 1, sizeof *order) : NULL;
    bool whole = order && print_rows(&g, o, order, list_rows(&g, o, order));
    free(order);
    groups_free(&g);
    return whole;
}
