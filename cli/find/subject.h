/* Subjects: processes, living or dead, with a segment to read, or a file by itself: a segment, or a capture. */
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
    bool replaced; /* the process is there, but by exec(2) it has become another program, or it was detached from and left this: not alive */
    bool foreign;  /* the process is there, but this is not its segment: somebody else made it, who says so. Not alive */
    bool captured; /* it is a capture file: whose it is stands in there, and is not here; only `file` and `where` are */
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
    struct view kept; /* of one of them, left open where a single process was looked for */
    size_t keeper;    /* its index; NO_KEEPER */
    bool keeps;
};
#define NO_KEEPER SIZE_MAX

/* All in these places, by place and pid; no foreign ones. 0 or -ENOMEM. */
int subjects_find(struct subjects *s, const struct places *places);
/* The same of one pid: nobody else's segment is opened, and that of the process stays open. There may be several, of processes that
 * had the number before. */
int subjects_find_process(struct subjects *s, const struct places *places, pid_t pid);
void subjects_free(struct subjects *s);

/* Its segment, if it is open since it was found: the caller's from now on, to be closed with view_close(). */
bool subjects_take_view(struct subjects *s, const struct subject *of, struct view *v);

/* One more: of that process, in that place, by that name. NULL: -ENOMEM. */
struct subject *subjects_add(struct subjects *s, const struct place *place, const char *name, pid_t pid, pid_t inner, uint64_t start_time);
void subjects_remove(struct subjects *s, size_t i);

/* A segment file by its path: whose it is comes from what it says. Or a capture, see `captured`: then no view is opened. 0 or
 * -errno, as in `error` above; then neither is one. */
int subject_of_file(struct subject *s, const char *path, struct view *v);

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
