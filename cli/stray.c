#include "stray.h"

#include "maps.h"

static const struct subject *owner_of(const struct mapping *m, const struct subjects *all)
{
    for (size_t i = 0; m->inode && i < all->count; i++) {
        const struct subject *s = &all->subject[i];
        if (s->error == 0 && s->inode == m->inode && s->header.address == m->begin)
            return s;
    }
    return NULL;
}

const struct subject *stray_parent(pid_t pid, const struct subjects *all)
{
    struct maps maps;
    const struct subject *owner = NULL;
    if (maps_read(&maps, pid) < 0)
        return NULL;
    for (size_t i = 0; i < maps.count && !owner; i++)
        owner = owner_of(&maps.mapping[i], all);
    maps_free(&maps);
    return owner && owner->pid != pid ? owner : NULL;
}
