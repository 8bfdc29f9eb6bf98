/* Which track is meant by PROFILER:TRACK. */
#ifndef TSCAP_TRACK_CHOICE_H
#define TSCAP_TRACK_CHOICE_H

#include "track_list.h"

/* A line of that track, or NULL after a message, with `*code` set: it fits none or several. PROFILER is a number, or a name that is
 * none; TRACK an id, or the name of one. Either may have colons in it. `option`, `operand`: as they were typed. */
const struct track_line *track_choice_find(const struct track_list *list, const char *option, const char *text, const char *operand, int *code);

#endif
