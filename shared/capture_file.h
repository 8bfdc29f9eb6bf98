/* The capture file: a recording that can be taken elsewhere. The format is described in man/tscap-capture.5, not here.
 *
 * A file is written from the front to the end, in whole blocks, so that it can be a pipe, and is good up to its last whole block
 * whatever becomes of its writer. It may hold several looks at the same recording, each complete; a reader takes the last.
 *
 * capture_write.c    looks to tables              capture_read.c    tables to the last look
 * capture_fields.c   the tables' columns          capture_table.c   rows to bytes, and back
 * capture_block.c    blocks, checksums            capture_zstd.c    compression: for who links libzstd */
#ifndef TSCAP_CAPTURE_FILE_H
#define TSCAP_CAPTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recording.h"

/* ---- writing ---- */

struct capture_writer;

/* Compresses blocks: capture_zstd(), or NULL to leave them as they are. Bytes written to `to`, 0: they do not fit. */
typedef size_t capture_compressor(void *to, size_t room, const void *from, size_t bytes);
capture_compressor capture_zstd;

/* Begins a file: writes its header to `fd` (borrowed), a file or a pipe. Then any number of looks, then the end. Each returns 0
 * or -errno of write(2), -ENOMEM; after an error the file is good up to the block before, and nothing more can be written.
 * `redact`: without command lines and without the folders of source files. */
int capture_writer_open(struct capture_writer **w, int fd, capture_compressor *compress, bool redact);

/* One more look at the same recording: its functions keep their numbers, new ones have higher ones. With `redacted` as the
 * writer has it, whatever it says. -E2BIG: more than RECORDING_PROCESSES. */
int capture_writer_look(struct capture_writer *w, const struct recording *r);

/* Says that nothing is missing at the end of the file. */
int capture_writer_finish(struct capture_writer *w);

uint64_t capture_writer_bytes(const struct capture_writer *w); /* written so far */
void capture_writer_free(struct capture_writer *w);            /* NULL: nothing */

/* ---- reading ---- */

struct capture_extent {
    uint64_t bytes;   /* of the file */
    uint64_t whole;   /* of them in whole blocks; what follows is cut or damaged, and was not read */
    uint32_t looks;   /* complete ones */
    bool finished;    /* its writer said that nothing is missing */
    uint32_t version; /* major << 16 | minor */
};

/* Does it begin like a capture, damaged or not? The file's place is not moved. */
bool capture_is_one(int fd);

/* The last look in a file. What is in it is hostile until checked: memory is bounded by the file's size. 0; -EBADMSG: no capture,
 * or one that says what cannot be; -EPROTONOSUPPORT: a version with another first number (see `x`); -ENODATA: it was cut before
 * its first look was complete; -ENOMEM; -errno of reading. On success to be freed; `x` is filled as far as that went. */
int capture_read(struct recording *r, int fd, struct capture_extent *x);

/* The same of a file in memory. */
int capture_read_memory(struct recording *r, const void *data, size_t bytes, struct capture_extent *x);

#endif
