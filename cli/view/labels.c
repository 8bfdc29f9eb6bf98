#include "labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "process.h"

struct named {
    const char *plain;
    uint32_t site; /* which of the profile's */
};

static int compare_names(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int r = strcmp(x->plain, y->plain);
    return r ? r : (x->site > y->site) - (x->site < y->site);
}

static bool same_name(const struct named *a, const struct named *b) { return strcmp(a->plain, b->plain) == 0; }

/* With the module before it, where there is one. */
static char *make_label(const struct profile_site *s, const char *plain)
{
    char *label;
    if (asprintf(&label, "%s%s%s", s->module, s->module[0] ? "." : "", plain) < 0)
        return NULL;
    process_printable(label);
    return label;
}

/* Most names are plain: then it is the name itself, which is not copied. */
static char *own_label(const char *plain)
{
    const char *p = plain;
    while (*p >= ' ' && *p <= '~')
        p++;
    char *label = *p ? strdup(plain) : (char *)plain;
    if (*p && label)
        process_printable(label);
    return label;
}

/* `order`: sorted by name, so that equal ones are neighbours. */
static bool fill(char **label, const struct profile *p, const struct named *order)
{
    uint32_t count = p->sites;
    bool whole = true, like_previous = false;
    for (uint32_t i = 0; i < count; i++) {
        bool like_next = i + 1 < count && same_name(&order[i], &order[i + 1]);
        bool ambiguous = like_previous || like_next;
        char *text = ambiguous ? make_label(&p->site[order[i].site], order[i].plain) : own_label(order[i].plain);
        label[order[i].site] = text;
        whole &= text != NULL;
        like_previous = like_next;
    }
    return whole;
}

char **labels_make(const struct profile *p)
{
    char **label = calloc((size_t)p->sites + 1, sizeof *label);
    struct named *order = malloc(((size_t)p->sites + 1) * sizeof *order);
    for (uint32_t i = 0; order && i < p->sites; i++)
        order[i] = (struct named){names_plain(&p->site[i]), i};
    if (order && p->sites)
        qsort(order, p->sites, sizeof *order, compare_names);
    if (!label || !order || !fill(label, p, order)) {
        labels_free(label, p);
        label = NULL;
    }
    free(order);
    return label;
}

/* What needs nothing before it and is printable is the profile's own text. */
void labels_free(char **label, const struct profile *p)
{
    for (uint32_t i = 0; label && i < p->sites; i++)
        if (label[i] != p->site[i].name && label[i] != p->site[i].qualname)
            free(label[i]);
    free(label);
}

void label_with_place(char *buffer, size_t size, const char *label, const struct profile_site *site)
{
    if (site && site->file[0])
        snprintf(buffer, size, "%s (%s:%u)", label, site->file, site->line);
    else
        snprintf(buffer, size, "%s", label);
    process_printable(buffer);
}
