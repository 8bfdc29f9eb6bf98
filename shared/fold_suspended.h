/* Generators and coroutines that wait. For fold*.c only. */
#ifndef TSCAP_FOLD_SUSPENDED_H
#define TSCAP_FOLD_SUSPENDED_H

#include "fold.h"

struct suspended *suspended_new(struct folder *f); /* NULL: no room */
void suspended_fill(struct folder *f, struct suspended *s, const struct suspended *image);
void suspended_free(struct folder *f, struct suspended *s);

/* Nothing is amiss where it was not counted. */
void suspended_end_silently(struct folder *f, struct suspended *s);

/* The call that waits goes on on another thread, which counts its end; what had no room here was counted as lost. */
void suspended_take(struct folder *f, uint64_t key, unsigned flags);

#endif
