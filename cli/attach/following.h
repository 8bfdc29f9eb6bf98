/* Following: a process that was attached to for a command that shows or records it, and all that descend from it, as long as the command
 * lasts. For commands that look at the process in a way of their own meanwhile. */
#ifndef TSCAP_FOLLOWING_H
#define TSCAP_FOLLOWING_H

#include "tree_attachment.h"

struct following {
    bool active;
    char number[16];           /* of the root */
    struct settings settings;
    struct operand operand;    /* the root, to be found again and again */
    struct tree_attachment tree;
    uint64_t due;              /* CLOCK_MONOTONIC: when it is worth to look again; UINT64_MAX: never */
};

/* Attaches to those below `root`, which has had its order, if the settings say so. Nothing is there to fail: what could not be attached to
 * is told, and following_end() returns it. */
void following_begin(struct following *f, const struct attachment *a, const struct subject *root);

/* Those that came since, when it is time. What fails is not told while the terminal is somebody else's, but in the end. */
void following_look(struct following *f);

/* Takes back what was bound to our life, and waits for that; the root is its attachment's. EXIT_OK, or the exit code of the first that
 * could not be attached to. */
int following_end(struct following *f);

#endif
