/* A profile as JSON: schema "tscap.profile/1", man/tscap.profile.schema.json. */
#ifndef TSCAP_PROFILE_JSON_H
#define TSCAP_PROFILE_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "capture.h"

/* The calling contexts of each thread: nodes within nodes, down to a level that all parsers take, and a list of what lies deeper; a
 * list of all nodes, with the index of each one's parent; none. */
enum profile_json_trees { PROFILE_JSON_NESTED, PROFILE_JSON_FLAT, PROFILE_JSON_NO_TREES };

bool profile_json_write(const struct capture *c, enum profile_json_trees trees, FILE *out); /* false: no memory, it is not whole */

#endif
