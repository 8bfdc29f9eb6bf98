#include "names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- functions ---- */

static bool ends_with_name(const char *qualname, const char *name)
{
    size_t q = strlen(qualname), n = strlen(name);
    return q >= n && strcmp(qualname + q - n, name) == 0 && (q == n || qualname[q - n - 1] == '.');
}

const char *names_plain(const struct profile_site *s)
{
    bool chosen = s->name[0] && !ends_with_name(s->qualname, s->name);
    return chosen || !s->qualname[0] ? s->name : s->qualname;
}

/* One of the names while they are made unlike each other. */
struct candidate {
    const struct profile_site *site;
    char *text;
    enum names_scope scope;
};

static int compare_names(const struct candidate *a, const struct candidate *b)
{
    int r = strcmp(a->text, b->text);
    if (r == 0 && a->scope != NAMES_IN_ALL)
        r = strcmp(a->site->file, b->site->file);
    if (r == 0 && a->scope == NAMES_IN_LINE)
        r = (a->site->line > b->site->line) - (a->site->line < b->site->line);
    return r;
}

static int compare_candidates(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;
    int r = compare_names(a, b);
    return r ? r : (a->site > b->site) - (a->site < b->site);
}

static int with_place(char **text, const struct candidate *c)
{
    const char *slash = strrchr(c->site->file, '/');
    return asprintf(text, "%s (%s:%" PRIu32 ")", c->text, slash ? slash + 1 : c->site->file, c->site->line);
}

static int with_number(char **text, const struct candidate *c) { return asprintf(text, "%s #%" PRIu32, c->text, c->site->id); }

static bool extend(struct candidate *c, int (*with)(char **text, const struct candidate *c))
{
    char *text;
    if (with(&text, c) < 0)
        return false;
    free(c->text);
    c->text = text;
    return true;
}

/* As if with_number() had been there before: " #12" at its end. */
static bool looks_numbered(const char *text)
{
    size_t end = strlen(text), digits = end;
    while (digits && text[digits - 1] >= '0' && text[digits - 1] <= '9')
        digits--;
    return digits >= 2 && digits < end && text[digits - 1] == '#' && text[digits - 2] == ' ';
}

/* Sorted: those that are alike are neighbours, and get longer. */
static bool tell_apart(struct candidate *c, uint32_t count, int (*with)(char **text, const struct candidate *c))
{
    bool whole = true;
    qsort(c, count, sizeof *c, compare_candidates);
    for (uint32_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && compare_names(&c[i], &c[next]) == 0; next++)
            ;
        bool alike = next > i + 1 || (with == with_number && looks_numbered(c[i].text));
        for (uint32_t k = i; alike && k < next; k++)
            whole &= extend(&c[k], with);
    }
    return whole;
}

/* Numbers differ, and whatever ends in one has its own: so this needs no second look, whatever names there are. */
static bool make_unlike(struct candidate *c, uint32_t count, enum names_scope scope)
{
    return (scope == NAMES_IN_LINE || tell_apart(c, count, with_place)) && tell_apart(c, count, with_number);
}

static bool begin_candidate(struct candidate *c, const struct profile_site *s, enum names_scope scope)
{
    bool prefix = scope == NAMES_IN_ALL && s->module[0];
    *c = (struct candidate){.site = s, .scope = scope};
    if (asprintf(&c->text, "%s%s%s", prefix ? s->module : "", prefix ? "." : "", names_plain(s)) >= 0)
        return true;
    c->text = NULL;
    return false;
}

static bool fill(char **names, struct candidate *c, const struct profile *p, enum names_scope scope)
{
    uint32_t begun = 0;
    while (begun < p->sites && begin_candidate(&c[begun], &p->site[begun], scope))
        begun++;
    bool whole = begun == p->sites && make_unlike(c, begun, scope);
    for (uint32_t i = 0; i < begun; i++)
        names[c[i].site - p->site] = c[i].text;
    return whole;
}

char **names_make(const struct profile *p, enum names_scope scope)
{
    char **names = calloc((size_t)p->sites + 1, sizeof *names);
    struct candidate *candidates = calloc((size_t)p->sites + 1, sizeof *candidates);
    if (!names || !candidates || !fill(names, candidates, p, scope)) {
        names_free(names, p);
        names = NULL;
    }
    free(candidates);
    return names;
}

void names_free(char **names, const struct profile *p)
{
    for (uint32_t i = 0; names && i < p->sites; i++)
        free(names[i]);
    free(names);
}

const char *names_of_node(char **names, const struct profile *p, const struct profile_node *n)
{
    const struct profile_site *site = profile_site(p, n->site);
    return site ? names[site - p->site] : NAMES_OTHER_PATHS;
}

/* ---- threads and processes ---- */

static const struct export_process *process_of(const struct export *e, const struct profile_thread *t)
{
    return t->process < e->processes ? &e->process[t->process] : NULL;
}

const char *names_thread(const struct export *e, const struct profile_thread *t, char *buffer, size_t size)
{
    const struct export_process *process = process_of(e, t);
    int used = process && e->processes > 1 ? snprintf(buffer, size, "process %ld, ", process->pid) : 0;
    if (t->merged)
        snprintf(buffer + used, size - (size_t)used, "(threads that ended)");
    else if (!t->tid)
        snprintf(buffer + used, size - (size_t)used, "%s", t->name);
    else
        snprintf(buffer + used, size - (size_t)used, "%s (tid %" PRIu32 ")", t->name[0] ? t->name : "(no name)", t->tid);
    return buffer;
}

const char *names_title(const struct export *e, char *buffer, size_t size)
{
    if (e->processes && e->process[0].command[0])
        snprintf(buffer, size, "%s", e->process[0].command);
    else
        snprintf(buffer, size, "process %ld", e->processes ? e->process[0].pid : 0);
    return buffer;
}
