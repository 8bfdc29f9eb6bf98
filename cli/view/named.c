#include "named.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metric.h"
#include "names.h"

/* ---- found ---- */

typedef bool fits(const struct profile_site *s, const char *label, const char *name);

static bool as_shown(const struct profile_site *s, const char *label, const char *name)
{
    (void)s;
    return strcmp(label, name) == 0;
}

/* "module:qualname", or with a dot. */
static bool with_module(const struct profile_site *s, const char *label, const char *name)
{
    size_t length = strlen(s->module);
    (void)label;
    return strncmp(name, s->module, length) == 0 && (name[length] == ':' || name[length] == '.') && strcmp(name + length + 1, s->qualname) == 0;
}

static bool qualified(const struct profile_site *s, const char *label, const char *name)
{
    (void)label;
    return strcmp(s->qualname, name) == 0 || strcmp(names_plain(s), name) == 0;
}

static bool by_last_part(const struct profile_site *s, const char *label, const char *name)
{
    const char *dot = strrchr(s->qualname, '.');
    (void)label;
    return strcmp(s->name, name) == 0 || (dot && strcmp(dot + 1, name) == 0);
}

uint32_t *named_find(const struct profile *p, char **label, const char *name, size_t *count)
{
    static fits *const ways[] = {as_shown, with_module, qualified, by_last_part};
    uint32_t *found = calloc((size_t)p->sites + 1, sizeof *found);
    *count = found ? 0 : 1;
    for (size_t way = 0; found && !*count && way < sizeof ways / sizeof *ways; way++)
        for (uint32_t i = 0; i < p->sites; i++)
            if (metric_any(&p->site[i].t) && ways[way](&p->site[i], label[i], name))
                found[(*count)++] = i;
    if (!*count) {
        free(found);
        found = NULL;
    }
    return found;
}

/* ---- not found ---- */

#define NEAREST 5
#define COMPARED 48 /* bytes of a name at most: a profile may have many */

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

static bool alike(char a, char b) { return tolower((unsigned char)a) == tolower((unsigned char)b); }

/* Insertions, deletions, replacements and exchanges of two neighbours that make one of the other, upper and lower case alike: the
 * restricted distance of Damerau and Levenshtein. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][COMPARED + 1], *row = rows[0], *before = rows[1], *two_before = rows[2];
    size_t n = strnlen(a, COMPARED), m = strnlen(b, COMPARED);
    for (size_t j = 0; j <= m; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *oldest = two_before;
        two_before = before;
        before = row;
        row = oldest;
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(before[j - 1] + !alike(a[i - 1], b[j - 1]), least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && alike(a[i - 1], b[j - 2]) && alike(a[i - 2], b[j - 1]))
                row[j] = least(row[j], two_before[j - 2] + 1);
        }
    }
    return row[m];
}

/* Of the whole name, or of its last part; a name that has it inside is near. */
static unsigned distance_to(const char *label, const char *name)
{
    const char *dot = strrchr(label, '.');
    unsigned whole = distance(label, name), last = dot ? distance(dot + 1, name) : whole;
    if (strcasestr(label, name))
        return 1;
    return least(whole, last);
}

struct near {
    unsigned distance;
    const char *label;
};

static void keep_nearest(struct near *near, struct near candidate)
{
    for (size_t i = 0; i < NEAREST; i++)
        if (!near[i].label || candidate.distance < near[i].distance) {
            struct near moved = near[i];
            near[i] = candidate;
            candidate = moved;
            if (!candidate.label)
                return;
        }
}

void named_nearest(const struct profile *p, char **label, const char *name, char *buffer, size_t size)
{
    struct near near[NEAREST] = {{0}};
    size_t used = 0;
    for (uint32_t i = 0; i < p->sites; i++)
        if (metric_any(&p->site[i].t))
            keep_nearest(near, (struct near){distance_to(label[i], name), label[i]});
    buffer[0] = '\0';
    for (size_t i = 0; i < NEAREST && near[i].label && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%.100s", used ? ", " : "", near[i].label);
}
