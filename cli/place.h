/* Where segments are looked for: the user's run directory; as root those of all users; $TSCAP_DIR alone where it is set. */
#ifndef TSCAP_PLACE_H
#define TSCAP_PLACE_H

#include <stddef.h>
#include <sys/types.h>

#include "rundir.h"

struct place {
    uid_t uid; /* whose */
    int fd;
    char path[RUNDIR_PATH_MAX];
};

struct places {
    struct place *place;
    size_t count;
    char sought[RUNDIR_PATH_MAX]; /* where they would be, for messages */
};

/* Those that exist and are private to their user. EXIT_OK, also when there is none; else an exit code after a message. */
int places_open(struct places *p);
int places_open_own(struct places *p); /* never another user's */
void places_close(struct places *p);

#endif
