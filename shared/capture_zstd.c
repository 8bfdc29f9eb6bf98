#include <zstd.h>

#include "capture_expand.h"
#include "capture_file.h"

#define LEVEL 3

size_t capture_zstd(void *to, size_t room, const void *from, size_t bytes)
{
    size_t n = ZSTD_compress(to, room, from, bytes, LEVEL);
    return ZSTD_isError(n) ? 0 : n;
}

bool capture_expand(void *to, size_t raw, const void *from, size_t bytes)
{
    size_t n = ZSTD_decompress(to, raw, from, bytes);
    return !ZSTD_isError(n) && n == raw;
}
