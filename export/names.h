/* What functions, threads and processes are called in files for other programs: such programs take what is called alike for
 * one and the same, so no two functions are. */
#ifndef TSCAP_NAMES_H
#define TSCAP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "export.h"

#define NAMES_OTHER_PATHS "(other paths)" /* the node that holds the paths that were given up */
#define NAMES_THREAD 320                  /* bytes that the text of a thread takes at most */

/* A name of the user's choice, else the qualified one. */
const char *names_plain(const struct profile_site *s);

/* Within what a name is unlike all others. */
enum names_scope {
    NAMES_IN_ALL,  /* with the module in front: "app.Class.method" */
    NAMES_IN_FILE, /* readers go by file and name */
    NAMES_IN_LINE, /* by file, line and name */
};

/* Of each function, indexed as profile.site is; those that would be alike with "(file.py:12)" behind, or "#ID" at last. NULL:
 * no memory. */
char **names_make(const struct profile *p, enum names_scope scope);
void names_free(char **names, const struct profile *p);

/* Of a node's function. */
const char *names_of_node(char **names, const struct profile *p, const struct profile_node *n);

/* "worker (tid 4242)", without a number "worker"; of several processes "process 4200, worker (tid 4242)". Returns `buffer`. */
const char *names_thread(const struct export *e, const struct profile_thread *t, char *buffer, size_t size);

/* The command line of the root, or "process 4242". */
const char *names_title(const struct export *e, char *buffer, size_t size);

#endif
