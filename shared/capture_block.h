/* Blocks of a capture file (man/tscap-capture.5): a header of fixed length, and a body. For capture_*.c only. */
#ifndef TSCAP_CAPTURE_BLOCK_H
#define TSCAP_CAPTURE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_MAJOR 1u
#define CAPTURE_MINOR 0u
#define CAPTURE_MAGIC 8u
#define CAPTURE_FILE_HEADER 64u
#define CAPTURE_BLOCK_HEADER 48u
#define CAPTURE_RAW_MAX (4u << 20)  /* bytes of a body */
#define CAPTURE_RATIO_MAX 64u       /* a body is at most so many times as long as it is stored */
#define CAPTURE_BLOCK_GOAL (256u << 10) /* a writer ends a block that has so many */

enum capture_kind {
    CAPTURE_END = 0,
    CAPTURE_STRINGS,
    CAPTURE_NOTES,
    CAPTURE_SITES,
    CAPTURE_PROCESSES,
    CAPTURE_CONSUMERS,
    CAPTURE_THREADS,
    CAPTURE_FUNCTIONS,
    CAPTURE_HISTOGRAMS,
    CAPTURE_PAIRS,
    CAPTURE_NODES,
    CAPTURE_TOTALS, /* the last of a look */
    CAPTURE_KINDS
};

enum { CAPTURE_COMPRESSED = 1 }; /* flags of a block */
enum { CAPTURE_REDACTED = 1 };   /* flags of a file */

struct capture_block {
    uint16_t kind, flags;
    uint32_t stored, raw; /* bytes of the body in the file, and as it is meant */
    uint32_t sequence;    /* 0, 1, 2 ... */
    uint32_t look;        /* 1, 2 ...: what it belongs to; 0: to all that follow */
    uint64_t began, ended; /* CLOCK_REALTIME, ns: of what it speaks */
};

struct capture_header {
    uint16_t major, minor;
    uint32_t flags, bytes;
    uint64_t created; /* CLOCK_REALTIME, ns */
    uint8_t id[16];   /* random */
};

void capture_put16(uint8_t *to, uint16_t value);
void capture_put32(uint8_t *to, uint32_t value);
void capture_put64(uint8_t *to, uint64_t value);
uint16_t capture_get16(const uint8_t *from);
uint32_t capture_get32(const uint8_t *from);
uint64_t capture_get64(const uint8_t *from);

bool capture_magic_check(const uint8_t from[CAPTURE_MAGIC]);
void capture_header_encode(uint8_t to[CAPTURE_FILE_HEADER], const struct capture_header *h);
/* 0; -EBADMSG; -EPROTONOSUPPORT: another major version, with `h` as far as that can be read. */
int capture_header_decode(struct capture_header *h, const uint8_t from[CAPTURE_FILE_HEADER]);

/* `body`: what follows the header, b->stored bytes. */
void capture_block_encode(uint8_t to[CAPTURE_BLOCK_HEADER], const struct capture_block *b, const void *body);
/* Only the header: are its lengths such as can be? */
bool capture_block_decode(struct capture_block *b, const uint8_t from[CAPTURE_BLOCK_HEADER]);
/* Is it whole? `header` is followed by the body. */
bool capture_block_check(const uint8_t *header, const struct capture_block *b);

#endif
