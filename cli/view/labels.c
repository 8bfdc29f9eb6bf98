#include "labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

static int compare_labels(const void *a, const void *b)
{
    const struct profile_site *x = *(const struct profile_site *const *)a, *y = *(const struct profile_site *const *)b;
    int r = strcmp(names_plain(x), names_plain(y));
    return r ? r : (x > y) - (x < y);
}

static bool same_label(const struct profile_site *a, const struct profile_site *b)
{
    return strcmp(names_plain(a), names_plain(b)) == 0;
}

static char *make_label(const struct profile_site *s, bool ambiguous)
{
    char *label;
    const char *plain = names_plain(s);
    bool with_module = ambiguous && s->module[0];
    return asprintf(&label, "%s%s%s", with_module ? s->module : "", with_module ? "." : "", plain) < 0 ? NULL : label;
}

/* `order`: sorted by label, so that equal ones are neighbours. */
static bool fill(char **label, const struct profile *p, const struct profile_site **order)
{
    uint32_t count = p->sites;
    bool whole = true;
    for (uint32_t i = 0; i < count; i++) {
        bool like_previous = i > 0 && same_label(order[i - 1], order[i]);
        bool like_next = i + 1 < count && same_label(order[i], order[i + 1]);
        char *text = make_label(order[i], like_previous || like_next);
        label[order[i] - p->site] = text;
        whole &= text != NULL;
    }
    return whole;
}

char **labels_make(const struct profile *p)
{
    char **label = calloc((size_t)p->sites + 1, sizeof *label);
    const struct profile_site **order = calloc((size_t)p->sites + 1, sizeof *order);
    for (uint32_t i = 0; order && i < p->sites; i++)
        order[i] = &p->site[i];
    if (order && p->sites)
        qsort(order, p->sites, sizeof *order, compare_labels);
    if (!label || !order || !fill(label, p, order)) {
        labels_free(label, p);
        label = NULL;
    }
    free(order);
    return label;
}

void labels_free(char **label, const struct profile *p)
{
    for (uint32_t i = 0; label && i < p->sites; i++)
        free(label[i]);
    free(label);
}

void label_with_place(char *buffer, size_t size, const char *label, const struct profile_site *site)
{
    if (site && site->file[0])
        snprintf(buffer, size, "%s (%s:%u)", label, site->file, site->line);
    else
        snprintf(buffer, size, "%s", label);
}
