/* Segments are mostly zeros. Inputs of fuzz_segment leave those out:
 *
 *   u16 zeros | u16 words | words * u64 | u16 zeros | ...        zeros, words: how many 64-bit words of each follow
 *
 * What ends in the middle of a run is cut there, so any bytes are an input. Those that begin with a segment's magic number
 * are one as they are. */
#ifndef TSCAP_TESTS_SPARSE_H
#define TSCAP_TESTS_SPARSE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segment.h"

#define SPARSE_MAX (1u << 20) /* bytes of a segment */

/* Reads one run at `p`: its literal words begin at *words, `*count` of them. The next run; NULL: there is none. */
static inline const uint8_t *sparse_run(const uint8_t *p, const uint8_t *end, size_t *zeros, const uint8_t **words, size_t *count)
{
    uint16_t head[2];
    if (end - p < (ptrdiff_t)sizeof head)
        return NULL;
    memcpy(head, p, sizeof head);
    p += sizeof head;
    size_t left = (size_t)(end - p) / 8;
    *zeros = head[0];
    *words = p;
    *count = head[1] < left ? head[1] : left;
    return p + *count * 8;
}

/* Whole pages, zeros after the end; the caller frees them. NULL: no memory. */
static inline void *sparse_decode(const uint8_t *data, size_t size, size_t *bytes)
{
    uint64_t magic = 0;
    size_t at = 0, zeros, count;
    const uint8_t *words, *end = data + size;
    uint8_t *out = calloc(1, SPARSE_MAX);
    void *pages = NULL;
    if (!out)
        return NULL;
    if (size >= sizeof magic)
        memcpy(&magic, data, sizeof magic);
    if (magic == SEGMENT_MAGIC) {
        at = size < SPARSE_MAX ? size : SPARSE_MAX;
        memcpy(out, data, at);
    } else
        for (const uint8_t *p = data; (p = sparse_run(p, end, &zeros, &words, &count));) {
            at += zeros * 8;
            if (at + count * 8 > SPARSE_MAX)
                break;
            if (count)
                memcpy(out + at, words, count * 8);
            at += count * 8;
        }
    at = at < SPARSE_MAX ? at : SPARSE_MAX;
    *bytes = (at + SEGMENT_PAGE - 1) & ~(size_t)(SEGMENT_PAGE - 1);
    if (posix_memalign(&pages, SEGMENT_PAGE, *bytes ? *bytes : SEGMENT_PAGE) == 0 && *bytes)
        memcpy(pages, out, *bytes);
    free(out);
    return pages;
}

/* Room for the worst case: a head for each word. */
static inline size_t sparse_encode(const void *segment, size_t bytes, uint8_t *out)
{
    const uint64_t *word = segment;
    size_t count = bytes / 8, i = 0, at = 0;
    while (i < count) {
        size_t zeros = i, words;
        while (i < count && word[i] == 0 && i - zeros < UINT16_MAX)
            i++;
        words = i;
        while (i < count && word[i] != 0 && i - words < UINT16_MAX)
            i++;
        uint16_t head[2] = {(uint16_t)(words - zeros), (uint16_t)(i - words)};
        memcpy(out + at, head, sizeof head);
        memcpy(out + at + sizeof head, word + words, (i - words) * 8);
        at += sizeof head + (i - words) * 8;
    }
    return at;
}

#endif
