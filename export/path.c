#include "path.h"

#include <stdlib.h>
#include <string.h>

void path_free(struct path *p)
{
    free(p->text);
    free(p->end);
    *p = (struct path){0};
}

/* Room for `wanted` elements: at least twice as many as before, so that growing costs little in all. */
static void *grow(void *array, size_t *room, size_t wanted, size_t size)
{
    size_t more = wanted > 2 * *room ? wanted : 2 * *room;
    void *moved = wanted <= *room ? array : reallocarray(array, more, size);
    if (moved && wanted > *room)
        *room = more;
    return moved;
}

bool path_set(struct path *p, unsigned depth, const char *frame)
{
    size_t before = depth ? p->end[depth - 1] : 0, length = strlen(frame);
    size_t *end = grow(p->end, &p->depths, (size_t)depth + 1, sizeof *end);
    if (end)
        p->end = end;
    char *text = end ? grow(p->text, &p->room, before + length + 1, 1) : NULL;
    if (!text)
        return false;
    p->text = text;
    p->used = before;
    if (depth)
        p->text[p->used++] = p->separator;
    memcpy(p->text + p->used, frame, length);
    p->used += length;
    p->end[depth] = p->used;
    return true;
}
