/* Arrays on the heap that grow as elements are added. */
#ifndef TSCAP_ARRAY_H
#define TSCAP_ARRAY_H

#include <stddef.h>

/* Room for one more element of `size` bytes (> 0) beside `count` others; *room is how many fit and at least doubles when they are
 * too many. The array, which may have moved: the element is not yet set. NULL: no memory, and all is as it was. */
void *array_room(void *array, size_t count, size_t *room, size_t size);

#endif
