/* Process trees: which of the processes found descends from which, by what their segments say of their ancestors. So a process
 * has its place although those between have ended, or never had a segment. */
#ifndef TSCAP_PROCESS_TREE_H
#define TSCAP_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "subject.h"

struct relative {
    struct subject *subject; /* (borrowed) */
    size_t parent;           /* index of the nearest ancestor that was found; PROCESS_TREE_NONE */
    unsigned depth;          /* ancestors that were found */
};
#define PROCESS_TREE_NONE ((size_t)-1)

struct process_tree {
    struct relative *relative; /* each right after its parent or after a descendant of that; siblings as found */
    size_t count;
};

/* Of all subjects: those without an ancestor among them have depth 0. 0 or -ENOMEM. */
int process_tree_make(struct process_tree *tree, const struct subjects *all);

/* `root`, which comes first, and its descendants. 0 or -ENOMEM. */
int process_tree_of(struct process_tree *tree, const struct subjects *all, const struct subject *root);

void process_tree_free(struct process_tree *tree);

/* Was the parent's session handed on to this child when it was forked, after the parent's last reset? */
bool process_tree_is_heir(const struct subject *child, const struct subject *parent);

/* Heirs of all of them of which nothing is there. */
uint64_t process_tree_missing(const struct process_tree *tree);

#endif
