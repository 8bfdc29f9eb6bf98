/* Saving: looks at a process written to a capture file, for the commands that make one. */
#ifndef TSCAP_SAVING_H
#define TSCAP_SAVING_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "recording.h"

struct settings;

#define SAVING_NAME 64
#define SAVING_NOTES 160

struct saving {
    const struct settings *settings; /* (borrowed) output, force, redact, and what is said about the recording */
    struct capture_writer *writer;
    int fd;              /* -1: none */
    bool made;           /* the file is ours: it goes if nothing whole came into it */
    char path[PATH_MAX]; /* "-": stdout */
    uint64_t looks;      /* written */
    uint64_t first, last; /* bytes of the first look in the file, with all names, and of the one written last */
    bool anew;           /* the next look is of another recording: it cannot stand in this file */
    struct recording_note note[SAVING_NOTES]; /* (borrowed) */
    uint32_t notes;
    struct recording_maker maker;
};

/* Begins a file: that of --output, else ./NAME-PID.tscap, NAME from the program's command line. Nothing is written over without
 * --force, and a segment never. EXIT_OK, or an exit code after a message; so below. To be ended with saving_finish() or, if
 * something else has failed, saving_drop(). */
int saving_open(struct saving *s, const struct settings *settings, pid_t pid, const char *command);

/* One more look; what came since `before`, or all (NULL). The file is good up to the one before it, if it fails. A file that has
 * outgrown its looks is written anew, with this one alone: it never has more than ten times what a look takes, and 256 KiB. What is
 * not a file of our making, as a pipe, grows with each. */
int saving_add(struct saving *s, const struct capture *now, const struct capture *before);

/* Can it be written anew, as it is if the next look is said to be of another recording? */
/* Somebody may have it mapped: it is never written over. */
bool saving_is_segment(const char *path);

static inline bool saving_can_begin_anew(const struct saving *s) { return s->made; }
static inline void saving_begin_anew(struct saving *s) { s->anew = s->looks > 0; }

/* Nothing is missing at its end. Closes it, and tells its name. */
int saving_finish(struct saving *s);

/* Closes it as it is; removes it if it has no look. */
void saving_drop(struct saving *s);

/* What a program is called by who started it: "app" of "python3 -X dev /srv/app.py x"; never a number, without odd characters. */
void saving_name(const char *command, char name[SAVING_NAME]);

#endif
