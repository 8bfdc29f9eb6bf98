/* Calls that are open: until when they have lasted, and how much of that on the CPU. For snapshot*.c only. */
#ifndef TSCAP_SNAPSHOT_ASOF_H
#define TSCAP_SNAPSHOT_ASOF_H

#include "snapshot.h"

void asof_choose(struct snapshot *s, const struct snapshot_options *o);

/* Open calls have lasted until `asof`, where their thread's clock was read, until then; or until recording was stopped. */
int asof_end_calls(struct snapshot *s, const struct snapshot_options *o); /* 0, -ENOMEM */

#endif
