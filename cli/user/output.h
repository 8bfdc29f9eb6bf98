/* The file that a command makes: whole, or not there. */
#ifndef TSCAP_OUTPUT_H
#define TSCAP_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct output {
    FILE *file;
    const char *path;        /* (borrowed) NULL: standard output */
    char made[PATH_MAX + 8]; /* what is removed again if it does not become whole; "": nothing */
    bool replaces;           /* what was made takes the place of `path` at the end */
};

/* `path`: NULL or "-" is standard output; a pipe or a device is written to as it is. A file that is there is replaced only by
 * `force`, and only once the new one is whole. `binary`: not for a terminal's eyes. EXIT_OK, or an exit code after a message,
 * for which `invocation` is what to type before "-o": "tscap convert 42 -f pprof". */
int output_open(struct output *o, const char *path, bool force, bool binary, const char *invocation);

/* Is `path` (NULL or "-": no) the file `name` in the folder `dirfd`, by whatever name? */
bool output_is_file(const char *path, int dirfd, const char *name);

/* Closes it. `code` is what came of writing it: unless EXIT_OK, it is removed. That code, or EXIT_FAILED after a message: not
 * all could be written. */
int output_finish(struct output *o, int code);

#endif
