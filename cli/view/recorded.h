/* What a capture file holds, as a source: its processes are the members, and the one look at them is the file's. */
#ifndef TSCAP_RECORDED_H
#define TSCAP_RECORDED_H

#include "source.h"

/* Reads it, for source_open(). Says what is missing at the end of a file that was cut. EXIT_OK, or an exit code after a message;
 * source_free() in any case. */
int recorded_open(struct source *s, const struct subject *file);
void recorded_free(struct source *s);

/* For source_look(). The profile goes to the capture: there is one look. 0; -ENODATA: it was taken already. */
int recorded_look(struct source *s, struct capture *c);

#endif
