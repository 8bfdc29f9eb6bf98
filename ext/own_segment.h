/* The segment of this process, from its making until it is given up: at exit, by `tscap detach`, or because a forked child
 * has one of its own. With the interpreter's lock. */
#ifndef TSCAP_OWN_SEGMENT_H
#define TSCAP_OWN_SEGMENT_H

#include <stdbool.h>

/* 0 or -errno: then the package cannot be. Without a segment nothing is recorded, and recorder_problem() says why. */
int own_segment_init(void);

void own_segment_give_up(void); /* with what was recorded; nothing is recorded any more, until: */
void own_segment_reopen(void);  /* a new one, if there is none and there can be */

/* In a forked child: another one, and the parent's is forgotten. 0 or -errno. */
int own_segment_begin_anew(void);

void own_segment_close(void); /* at exit: the file goes, unless TSCAP_KEEP is set or it is part of an ancestor's session */

#endif
