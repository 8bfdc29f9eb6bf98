#include "gzip.h"

#define GZIP_FORMAT (15 + 16) /* the largest window; with a header of gzip */
#define MEMORY_LEVEL 8        /* zlib's default */

bool gzip_begin(struct gzip *z, FILE *out)
{
    *z = (struct gzip){.out = out};
    return deflateInit2(&z->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_FORMAT, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
}

/* deflate() takes all it is given as long as it has room for what comes out, and cannot fail then. */
static void deflate_all(struct gzip *z, int flush)
{
    unsigned char buffer[1 << 14];
    do {
        z->stream.next_out = buffer;
        z->stream.avail_out = sizeof buffer;
        deflate(&z->stream, flush);
        fwrite(buffer, 1, sizeof buffer - z->stream.avail_out, z->out);
    } while (z->stream.avail_out == 0);
}

void gzip_write(struct gzip *z, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    while (size) {
        uInt part = size < (1u << 30) ? (uInt)size : 1u << 30;
        z->stream.next_in = (unsigned char *)p;
        z->stream.avail_in = part;
        deflate_all(z, Z_NO_FLUSH);
        p += part;
        size -= part;
    }
}

void gzip_end(struct gzip *z)
{
    deflate_all(z, Z_FINISH);
    deflateEnd(&z->stream);
}
