#include "protobuf.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, LENGTH = 2 }; /* types on the wire */

void protobuf_free(struct protobuf *p)
{
    free(p->bytes);
    *p = (struct protobuf){0};
}

static void append(struct protobuf *p, const void *bytes, size_t size)
{
    if (size > p->room - p->used) {
        size_t room = 2 * p->room > p->used + size ? 2 * p->room : p->used + size + 64;
        unsigned char *moved = realloc(p->bytes, room);
        if (!moved) {
            p->failed = true;
            return;
        }
        p->bytes = moved;
        p->room = room;
    }
    memcpy(p->bytes + p->used, bytes, size);
    p->used += size;
}

/* Seven bits a byte, the lowest first. */
void protobuf_packed(struct protobuf *p, uint64_t value)
{
    unsigned char byte[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        byte[n++] = (unsigned char)(value | 0x80);
    byte[n++] = (unsigned char)value;
    append(p, byte, n);
}

void protobuf_number(struct protobuf *p, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    protobuf_packed(p, field << 3 | VARINT);
    protobuf_packed(p, value);
}

void protobuf_bytes(struct protobuf *p, unsigned field, const void *bytes, size_t size)
{
    protobuf_packed(p, field << 3 | LENGTH);
    protobuf_packed(p, size);
    if (size)
        append(p, bytes, size);
}

void protobuf_message(struct protobuf *p, unsigned field, const struct protobuf *message)
{
    protobuf_bytes(p, field, message->bytes, message->used);
    p->failed |= message->failed;
}

void protobuf_join(struct protobuf *p, const struct protobuf *fields)
{
    if (fields->used)
        append(p, fields->bytes, fields->used);
    p->failed |= fields->failed;
}
