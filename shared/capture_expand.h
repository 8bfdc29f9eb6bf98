/* What compression took together. For capture_*.c only. */
#ifndef TSCAP_CAPTURE_EXPAND_H
#define TSCAP_CAPTURE_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

/* `to` has room for `raw` bytes and no more are written. False: it is not what was compressed, or not of that length. */
bool capture_expand(void *to, size_t raw, const void *from, size_t bytes);

#endif
