/* Writes protocol buffers (https://protobuf.dev/programming-guides/encoding/), as much of them as pprof's messages take. */
#ifndef TSCAP_PROTOBUF_H
#define TSCAP_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message, or a part of one: fields can be written one after the other, and messages be joined. */
struct protobuf {
    unsigned char *bytes;
    size_t used, room;
    bool failed; /* no memory: it is not whole */
};

void protobuf_free(struct protobuf *p);
static inline void protobuf_clear(struct protobuf *p) { p->used = 0; }

void protobuf_number(struct protobuf *p, unsigned field, uint64_t value); /* 0, the default, is left out */
void protobuf_packed(struct protobuf *p, uint64_t value);                 /* one of a packed field: without its number */
void protobuf_bytes(struct protobuf *p, unsigned field, const void *bytes, size_t size); /* a text; a packed field */
void protobuf_message(struct protobuf *p, unsigned field, const struct protobuf *message);
void protobuf_join(struct protobuf *p, const struct protobuf *fields); /* appended as they are */

#endif
