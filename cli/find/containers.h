/* Processes that live apart, in containers: each keeps its segment in its own root, under its own number. */
#ifndef TSCAP_CONTAINERS_H
#define TSCAP_CONTAINERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "place.h"
#include "subject.h"

/* Adds those that may be looked into and have a segment, each with its place; what looked from outside like a dead process
 * of another number goes. Where $TSCAP_DIR is set, those that were started with the same. 0 or -ENOMEM. */
int containers_find(struct subjects *s, struct places *p);

/* Adds this one, whatever its $TSCAP_DIR. False: it is not apart, or cannot be reached, or has no segment. */
bool containers_find_process(struct subjects *s, struct places *p, pid_t pid);

/* Why not: an exit code after a message; EXIT_OK: it is not apart. */
int containers_diagnose(pid_t pid, const char *command);

/* The same where it may not be looked into at all; EXIT_OK: that is not so, or not for this reason. */
int containers_diagnose_access(pid_t pid, const char *command);

#endif
