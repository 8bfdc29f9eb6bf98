/* What functions are called in tables and trees: printable. */
#ifndef TSCAP_LABELS_H
#define TSCAP_LABELS_H

#include <stddef.h>

#include "profile.h"

/* "Class.method", "module.Class.method" where two are called alike. Indexed as profile.site is. NULL: no memory. */
char **labels_make(const struct profile *p);
void labels_free(char **label, const struct profile *p);

/* Of one site, found again. */
static inline const char *label_of(char **label, const struct profile *p, const struct profile_site *site)
{
    return label[site - p->site];
}

/* "label (file:line)". */
void label_with_place(char *buffer, size_t size, const char *label, const struct profile_site *site);

#endif
