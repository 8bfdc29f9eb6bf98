/* Where segments are looked for: the user's run directory; as root those of all users; $TSCAP_DIR alone where it is set. */
#ifndef TSCAP_PLACE_H
#define TSCAP_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "rundir.h"

struct place {
    uid_t uid; /* whose */
    int fd;
    struct {        /* in a container: the one process that it was opened for */
        pid_t pid;  /* 0: not in a container */
        pid_t inner;
        uint64_t start_time;
        ino_t inode; /* of its segment, proven to be its own; 0: not proven */
    } only;
    char path[RUNDIR_PATH_MAX + 32]; /* in a container: after "/proc/PID/root" */
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

/* One more, in a container, whose descriptor is ours from now on; NULL: no memory. It moves with the next one. */
struct place *places_add(struct places *p, uid_t uid, int fd, const char *path);
void places_leave_containers(struct places *p);

/* Is $TSCAP_DIR set? */
bool places_forced(void);

#endif
