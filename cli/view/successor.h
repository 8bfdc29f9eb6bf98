/* A successor: a file that is written beside another one and takes its place once it is whole, at one stroke: whoever opens the
 * name has the one or the other, whatever becomes of us. */
#ifndef TSCAP_SUCCESSOR_H
#define TSCAP_SUCCESSOR_H

#include <limits.h>
#include <stdbool.h>

struct successor {
    int fd;     /* -1: there is none */
    bool named; /* else it has no name yet, and goes if we are killed */
    char path[PATH_MAX + 32];
};

/* Of the file at `path`, which is open as `fd`, with its rights. 0 or -errno; -ESTALE: another one is there, or none, so that
 * it has no place to take. */
int successor_make(struct successor *s, const char *path, int fd);

/* In the place of the file that is open as `fd`. 0: it stands at `path`, and its descriptor is the caller's. Else -errno, and it is
 * gone; -ESTALE: another file is there by now, or none. */
int successor_take_place(struct successor *s, const char *path, int fd);

void successor_drop(struct successor *s);

#endif
