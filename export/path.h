/* A path as text, "a;b;c", that grows and shrinks as a tree is walked: what callers share is written once. */
#ifndef TSCAP_PATH_H
#define TSCAP_PATH_H

#include <stdbool.h>
#include <stddef.h>

struct path {
    char separator;
    char *text; /* not terminated */
    size_t used, room;
    size_t *end; /* [depth + 1]: bytes of the first depth + 1 frames */
    size_t depths;
};

static inline struct path path_begin(char separator) { return (struct path){.separator = separator}; }
void path_free(struct path *p);

/* `frame` becomes the one at this depth (0: the first), below the frames that are there above it; deeper ones are gone. False:
 * no memory. */
bool path_set(struct path *p, unsigned depth, const char *frame);

#endif
