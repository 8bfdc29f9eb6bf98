/* The consumers of a segment, as a table and in JSON. */
#ifndef TSCAP_CONSUMERS_H
#define TSCAP_CONSUMERS_H

#include <stdbool.h>

#include "audiences.h"
#include "clock.h"
#include "json.h"
#include "view.h"

/* Those of a mapped segment; which sites they select is left out. 0 or -errno, as of audiences_copy(), -EIO: the file shrank. To be
 * freed by audiences_free(). */
int consumers_read(struct audiences *a, const struct view *v);

/* Without any nothing is printed. `now_ns`: CLOCK_MONOTONIC, how long ago things were; 0: that is not known. False: no memory. */
bool consumers_print(const struct audiences *a, const struct clock_scale *scale, uint64_t now_ns);

/* The keys of one, in an object that is open. */
void consumer_json(struct json *j, const struct consumer *c, const struct clock_scale *scale);

void consumers_json(struct json *j, const char *key, const struct audiences *a, const struct clock_scale *scale);

#endif
