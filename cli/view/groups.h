/* Functions summed up by what they have in common: --by module, file or prefix. */
#ifndef TSCAP_GROUPS_H
#define TSCAP_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cells.h"
#include "filter.h"

/* A prefix is what stands before a dot of a name, from its beginning: "shop.orders.Cart.add" is in "shop", "shop.orders" and
 * "shop.orders.Cart", and so is each of the prefixes in those before it. */
enum group_by { GROUP_MODULE, GROUP_FILE, GROUP_PREFIX };

#define GROUP_LEVELS 16 /* prefixes of one name at most */

struct group_row {
    struct profile_times t; /* first: see cells.h. Inclusive: while any of its functions was on the stack, counted once */
    char *name;
    uint32_t functions;     /* that were called */
    uint32_t entered;       /* while a tree is walked: how many are on the path */
    bool at_least;          /* there are calls without a path: their inclusive time may be more */
};

struct groups {
    struct cells cells; /* first; the whole: exclusive times of all functions */
    struct group_row *row;
    size_t count;
    uint32_t *member, *first; /* of profile.site[i]: the rows member[first[i]] to before member[first[i + 1]] */
};

extern const struct column group_columns[];

/* "module", "file", "prefix". False: none of them. */
bool group_by_name(const char *name, enum group_by *by);

int groups_make(struct groups *g, const struct capture *c, enum group_by by); /* 0 or -ENOMEM; to be freed in any case */
void groups_free(struct groups *g);

struct groups_options {
    const struct filter *filter;
    const char *columns; /* NULL: all */
    const struct column *sort;
    uint64_t limit;
    size_t width;
};

/* False: no memory. */
bool groups_print(const struct capture *c, enum group_by by, const struct groups_options *o);

#endif
