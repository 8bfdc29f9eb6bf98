#include "group.h"

#include <errno.h>
#include <stdlib.h>

/* Nobody else need be looked at. */
static int find_alone(const struct group *g, struct subjects *all, struct family *f)
{
    *all = (struct subjects){.subject = malloc(sizeof *all->subject)};
    f->relative = calloc(1, sizeof *f->relative);
    if (!all->subject || !f->relative)
        return -ENOMEM;
    all->subject[all->count++] = g->root;
    subject_refresh(all->subject);
    f->relative[f->count++] = (struct relative){.subject = all->subject, .parent = FAMILY_NONE};
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

static int find_family(const struct group *g, struct subjects *all, struct family *f)
{
    int r = subjects_find(all, g->places);
    const struct subject *root = r == 0 ? find_root(g, all) : NULL;
    if (r < 0)
        return r;
    return root ? family_of(f, all, root) : -ENOENT;
}

int group_find(const struct group *g, struct subjects *all, struct family *f)
{
    *f = (struct family){0};
    return g->family ? find_family(g, all, f) : find_alone(g, all, f);
}
