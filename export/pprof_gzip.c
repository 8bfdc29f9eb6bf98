/* Apart from the rest, so that who links only that needs no zlib. */
#include "gzip.h"
#include "pprof.h"

static void compress_part(void *stream, const void *bytes, size_t size) { gzip_write(stream, bytes, size); }

bool export_pprof(const struct export *e, FILE *out)
{
    struct gzip stream;
    if (!gzip_begin(&stream, out))
        return false;
    bool whole = pprof_write(e, compress_part, &stream);
    gzip_end(&stream);
    return whole;
}
