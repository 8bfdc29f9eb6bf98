#include "capture_block.h"

#include <errno.h>
#include <string.h>

/* Only its header: nothing to link, so the extension can write blocks, too. */
#define XXH_INLINE_ALL
#include <xxhash.h>

/* A byte that is no text, and line ends that a transfer as text would change. */
static const uint8_t file_magic[CAPTURE_MAGIC] = {0x89, 'T', 'S', 'C', 'P', '\r', '\n', 0x1a};
#define BYTE_ORDER_MARK 0x01020304u
#define BLOCK_MAGIC 0x4b4c4254u /* "TBLK" */

void capture_put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

void capture_put32(uint8_t *to, uint32_t value)
{
    capture_put16(to, (uint16_t)value);
    capture_put16(to + 2, (uint16_t)(value >> 16));
}

void capture_put64(uint8_t *to, uint64_t value)
{
    capture_put32(to, (uint32_t)value);
    capture_put32(to + 4, (uint32_t)(value >> 32));
}

uint16_t capture_get16(const uint8_t *from) { return (uint16_t)(from[0] | from[1] << 8); }
uint32_t capture_get32(const uint8_t *from) { return capture_get16(from) | (uint32_t)capture_get16(from + 2) << 16; }
uint64_t capture_get64(const uint8_t *from) { return capture_get32(from) | (uint64_t)capture_get32(from + 4) << 32; }

/* ---- the file's header ---- */

void capture_header_encode(uint8_t to[CAPTURE_FILE_HEADER], const struct capture_header *h)
{
    memset(to, 0, CAPTURE_FILE_HEADER);
    memcpy(to, file_magic, sizeof file_magic);
    capture_put32(to + 8, BYTE_ORDER_MARK);
    capture_put16(to + 12, h->major);
    capture_put16(to + 14, h->minor);
    capture_put32(to + 16, h->bytes);
    capture_put32(to + 20, h->flags);
    capture_put64(to + 24, h->created);
    memcpy(to + 32, h->id, sizeof h->id);
    capture_put64(to + 56, XXH64(to, 56, 0));
}

bool capture_magic_check(const uint8_t from[CAPTURE_MAGIC]) { return memcmp(from, file_magic, CAPTURE_MAGIC) == 0; }

int capture_header_decode(struct capture_header *h, const uint8_t from[CAPTURE_FILE_HEADER])
{
    if (memcmp(from, file_magic, sizeof file_magic) != 0 || capture_get32(from + 8) != BYTE_ORDER_MARK)
        return -EBADMSG;
    *h = (struct capture_header){
        .major = capture_get16(from + 12),
        .minor = capture_get16(from + 14),
        .bytes = capture_get32(from + 16),
        .flags = capture_get32(from + 20),
        .created = capture_get64(from + 24),
    };
    memcpy(h->id, from + 32, sizeof h->id);
    if (h->major != CAPTURE_MAJOR)
        return -EPROTONOSUPPORT;
    bool sane = h->bytes >= CAPTURE_FILE_HEADER && capture_get64(from + 56) == XXH64(from, 56, 0);
    return sane ? 0 : -EBADMSG;
}

/* ---- blocks ---- */

/* Of the header up to the sum itself, and of the body. */
static uint64_t sum_of(const uint8_t *header, const void *body, size_t bytes)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, header, CAPTURE_BLOCK_HEADER - 8);
    XXH64_update(&state, body, bytes);
    return XXH64_digest(&state);
}

void capture_block_encode(uint8_t to[CAPTURE_BLOCK_HEADER], const struct capture_block *b, const void *body)
{
    capture_put32(to, BLOCK_MAGIC);
    capture_put16(to + 4, b->kind);
    capture_put16(to + 6, b->flags);
    capture_put32(to + 8, b->stored);
    capture_put32(to + 12, b->raw);
    capture_put32(to + 16, b->sequence);
    capture_put32(to + 20, b->look);
    capture_put64(to + 24, b->began);
    capture_put64(to + 32, b->ended);
    capture_put64(to + 40, sum_of(to, body, b->stored));
}

bool capture_block_decode(struct capture_block *b, const uint8_t from[CAPTURE_BLOCK_HEADER])
{
    if (capture_get32(from) != BLOCK_MAGIC)
        return false;
    *b = (struct capture_block){
        .kind = capture_get16(from + 4),
        .flags = capture_get16(from + 6),
        .stored = capture_get32(from + 8),
        .raw = capture_get32(from + 12),
        .sequence = capture_get32(from + 16),
        .look = capture_get32(from + 20),
        .began = capture_get64(from + 24),
        .ended = capture_get64(from + 32),
    };
    bool compressed = b->flags & CAPTURE_COMPRESSED;
    return b->raw <= CAPTURE_RAW_MAX && (compressed ? b->stored < b->raw && b->raw / CAPTURE_RATIO_MAX <= b->stored : b->stored == b->raw);
}

bool capture_block_check(const uint8_t *header, const struct capture_block *b)
{
    return capture_get64(header + 40) == sum_of(header, header + CAPTURE_BLOCK_HEADER, b->stored);
}
