/* The full-screen top: a source looked at again and again, until its user leaves. */
#ifndef TSCAP_LIVE_H
#define TSCAP_LIVE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "attachment.h"
#include "following.h"
#include "source.h"
#include "table.h"

struct live_options {
    const struct attachment *attachment; /* (borrowed) what was attached for it, if anything */
    struct following *following;         /* (borrowed) those below it; NULL: nobody is followed */
    const struct column *sort;
    uint64_t delay;    /* ns between two looks */
    uint64_t max_loss; /* calls */
    bool start;        /* begin recording, if need be */

    /* For who has started the process: what it has to do for it meanwhile, and after how many ns again. A signal that is to end
     * tscap ends the screen only. NULL: nobody has */
    uint64_t (*attend)(void *context);
    void *context;
    const sigset_t *signals; /* blocked while it waits, see signals_begin() */
};

/* An exit code; errors have been printed. A signal that is to end tscap does so, after the terminal and the process are as
 * they were. */
int live_run(struct source *source, const struct live_options *o);

#endif
