/* A profile as JSON: schema "tscap.profile/1", man/tscap.profile.schema.json. */
#ifndef TSCAP_PROFILE_JSON_H
#define TSCAP_PROFILE_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "capture.h"

bool profile_json_write(const struct capture *c, FILE *out); /* false: no memory, what was written is not whole */

#endif
