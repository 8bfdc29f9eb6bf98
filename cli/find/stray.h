/* Strays: processes that C code forked without Python's knowledge. No hook of fork has run in them, so they have no segment but
 * still a copy of what their parent had, its segment at the same place in memory. */
#ifndef TSCAP_STRAY_H
#define TSCAP_STRAY_H

#include "process_tree.h"
#include "subject.h"

/* Whose copy it is; borrowed from `all`. NULL: it is no stray. */
const struct subject *stray_parent(pid_t pid, const struct subjects *all);

struct strays {
    pid_t *pid;
    size_t count, room;
};

/* Those below a process tree that would record with it had Python known of them. One that is just being made is looked at again for
 * a moment: it may become another program, or Python may come to know of it. To be freed in any case; 0 or -ENOMEM. */
int strays_find(struct strays *s, const struct process_tree *tree, const struct subjects *all);
void strays_free(struct strays *s);

/* Why. */
#define STRAY_CAUSE "forked in C, without Python's knowledge (as uWSGI does by default)"

#endif
