/* Groups: a process, alone or with all that descend from it, to be found again whenever somebody looks. */
#ifndef TSCAP_GROUP_H
#define TSCAP_GROUP_H

#include <stdbool.h>

#include "process_tree.h"

struct group {
    const struct places *places; /* (borrowed) */
    struct subject root;         /* as it was found first */
    bool whole_tree;                 /* its descendants, too */
};

/* Who is there now, the root first. 0, -ENOENT: the root is not, -ENOMEM; both to be freed in any case, the tree first. */
int group_find(const struct group *g, struct subjects *all, struct process_tree *tree);

#endif
