#include "array.h"

#include <stdint.h>
#include <stdlib.h>

#define FIRST_ROOM 16

void *array_room(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    if (*room > SIZE_MAX / 2 / size)
        return NULL;
    size_t more = *room ? 2 * *room : FIRST_ROOM;
    void *moved = realloc(array, more * size);
    if (moved)
        *room = more;
    return moved;
}
