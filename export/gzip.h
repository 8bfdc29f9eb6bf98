/* Writes a gzip stream (RFC 1952) to a file that is open. The same content gives the same bytes: no name, no time in it. */
#ifndef TSCAP_GZIP_H
#define TSCAP_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <zlib.h>

struct gzip {
    z_stream stream;
    FILE *out;
};

bool gzip_begin(struct gzip *z, FILE *out); /* false: no memory */
void gzip_write(struct gzip *z, const void *bytes, size_t size);
void gzip_end(struct gzip *z);

#endif
