/* Tables printed one after another, of what happened since the one before: `tscap top -b`. */
#ifndef TSCAP_TABLES_H
#define TSCAP_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "capture.h"

struct format;
struct settings;

#define TABLES_DELAY 1000000000u /* between two, unless it is said; also between two looks of the full screen */

struct tables {
    struct source *source;   /* (borrowed) */
    struct subject *subject; /* its root */
    const struct settings *settings;
    const struct format *format;
    struct capture last;
    uint64_t delay, due; /* ns; CLOCK_MONOTONIC: the next one */
    uint64_t printed;
    bool begun;
    bool ended;    /* the process, or the last of the process tree */
    bool complete; /* so were all that was shown */
};

/* EXIT_OK, or an exit code after a message; so below. To be ended in any case. */
int tables_begin(struct tables *t, struct source *source, const struct settings *s);
bool tables_over(const struct tables *t); /* all that were asked for are printed, or the process has ended */
int tables_next(struct tables *t);        /* now, whenever it is due */
int tables_end(struct tables *t, int code); /* `code`: what came of the others, which goes first */

void tables_sleep_until(uint64_t ns);

#endif
