#include "group.h"

#include <errno.h>
#include <stdlib.h>

/* Nobody else need be looked at. */
static int find_alone(const struct group *g, struct subjects *all, struct process_tree *tree)
{
    *all = (struct subjects){.subject = malloc(sizeof *all->subject)};
    tree->relative = calloc(1, sizeof *tree->relative);
    if (!all->subject || !tree->relative)
        return -ENOMEM;
    all->subject[all->count++] = g->root;
    subject_refresh(all->subject);
    tree->relative[tree->count++] = (struct relative){.subject = all->subject, .parent = PROCESS_TREE_NONE};
    return all->subject->error == -ENOENT ? -ENOENT : 0;
}

static const struct subject *find_root(const struct group *g, const struct subjects *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct subject *s = &all->subject[i];
        if (s->pid == g->root.pid && s->start_time == g->root.start_time && s->uid == g->root.uid)
            return s;
    }
    return NULL;
}

static int find_tree(const struct group *g, struct subjects *all, struct process_tree *tree)
{
    int r = subjects_find(all, g->places);
    const struct subject *root = r == 0 ? find_root(g, all) : NULL;
    if (r < 0)
        return r;
    return root ? process_tree_of(tree, all, root) : -ENOENT;
}

int group_find(const struct group *g, struct subjects *all, struct process_tree *tree)
{
    *tree = (struct process_tree){0};
    return g->whole_tree ? find_tree(g, all, tree) : find_alone(g, all, tree);
}
