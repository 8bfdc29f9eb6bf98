/* Subjects: processes, living or dead, with a segment to read, or a segment file by itself. */
#ifndef TSCAP_SUBJECT_H
#define TSCAP_SUBJECT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "place.h"
#include "snapshot.h"

#define SUBJECT_COMMAND 1024

struct subject {
    pid_t pid;
    pid_t inner; /* its number for itself, by which its segment is named; differs only in another pid namespace */
    bool apart;  /* in a container: in another pid or mount namespace, or below another root */
    uint64_t start_time;
    uid_t uid;
    bool alive;
    bool replaced; /* the process is there, but by exec(2) it has become another program: not alive */
    bool foreign;  /* the process is there, but this is not its segment: somebody else made it, who says so. Not alive */
    int error; /* 0, or why its segment cannot be read: -errno as of view_open() */
    int dirfd; /* (borrowed) */
    char file[PATH_MAX];  /* of the segment, in dirfd */
    char where[PATH_MAX]; /* the same, for people */
    char command[SUBJECT_COMMAND]; /* of one that has ended: as the segment has it, cut at its size */
    /* as of the time it was found */
    struct segment_header header;
    struct session_state session;
    uint64_t bytes;
    dev_t device;
    ino_t inode;
};

struct subjects {
    struct subject *subject;
    size_t count;
    size_t foreign; /* passed over */
};

/* All in these places, by place and pid; no foreign ones. 0 or -ENOMEM. */
int subjects_find(struct subjects *s, const struct places *places);
/* The same of one pid: nobody else's segment is opened. There may be several, of processes that had the number before. */
int subjects_find_process(struct subjects *s, const struct places *places, pid_t pid);
void subjects_free(struct subjects *s);

/* One more: of that process, in that place, by that name. NULL: -ENOMEM. */
struct subject *subjects_add(struct subjects *s, const struct place *place, const char *name, pid_t pid, pid_t inner, uint64_t start_time);
void subjects_remove(struct subjects *s, size_t i);

/* A segment file by its path: whose it is comes from what it says. 0 or -errno, as in `error` above. */
int subject_of_file(struct subject *s, const char *path);

/* Looks again: is it alive, what does its header say? */
void subject_refresh(struct subject *s);
/* The same, and leaves the segment open, unless `error` says that it cannot be read: to be closed with view_close(). */
void subject_open(struct subject *s, struct view *v);

/* Can be recorded now. */
static inline bool subject_ready(const struct subject *s) { return s->alive && s->error == 0; }

/* "recording", "stopped", "dormant" (never started), "dead", "unreadable". */
const char *subject_state(const struct subject *s);

/* Its command line, or something in its place. */
const char *subject_name(const struct subject *s);

#endif
