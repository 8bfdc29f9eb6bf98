/* Filters: --filter, an extended regular expression of POSIX that names have to match. */
#ifndef TSCAP_FILTER_H
#define TSCAP_FILTER_H

#include <regex.h>
#include <stdbool.h>

#include "profile.h"

struct settings;

struct filter {
    regex_t expression;
    bool given;
};

/* EXIT_OK, or EXIT_USAGE after a message: it is no expression. To be closed in any case. */
int filter_open(struct filter *f, const struct settings *s);
void filter_close(struct filter *f);

/* All do where none is given. */
bool filter_fits(const struct filter *f, const char *name);

/* Of a function: as `label`, which tables show, or as module:qualname. */
bool filter_fits_site(const struct filter *f, const struct profile_site *site, const char *label);

#endif
