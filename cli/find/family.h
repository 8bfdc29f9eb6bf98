/* Families: which of the processes found descends from which, by what their segments say of their ancestors. So a process
 * has its place although those between have ended, or never had a segment. */
#ifndef TSCAP_FAMILY_H
#define TSCAP_FAMILY_H

#include <stdbool.h>
#include <stddef.h>

#include "subject.h"

struct relative {
    struct subject *subject; /* (borrowed) */
    size_t parent;           /* index of the nearest ancestor that was found; FAMILY_NONE */
    unsigned depth;          /* ancestors that were found */
};
#define FAMILY_NONE ((size_t)-1)

struct family {
    struct relative *relative; /* each right after its parent or after a descendant of that; siblings as found */
    size_t count;
};

/* Of all subjects: those without an ancestor among them have depth 0. 0 or -ENOMEM. */
int family_make(struct family *f, const struct subjects *all);

/* `root`, which comes first, and its descendants. 0 or -ENOMEM. */
int family_of(struct family *f, const struct subjects *all, const struct subject *root);

void family_free(struct family *f);

/* Was the parent's session handed on to this child when it was forked, after the parent's last reset? */
bool family_is_heir(const struct subject *child, const struct subject *parent);

/* Heirs of all of them of which nothing is there. */
uint64_t family_missing(const struct family *f);

#endif
