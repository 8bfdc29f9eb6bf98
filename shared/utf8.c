#include "utf8.h"

#include <stdbool.h>

size_t utf8_sequence(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    bool outside = (*p == 0xed && p[1] > 0x9f) || (*p == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

static bool is_continued(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

/* NUL and lone surrogates, which UTF-8 has none of. 0: neither. */
static size_t beyond_utf8(const unsigned char *p)
{
    if (p[0] == 0xc0 && p[1] == 0x80)
        return 2;
    return p[0] == 0xed && is_continued((char)p[1]) && is_continued((char)p[2]) ? 3 : 0;
}

size_t utf8_character(const char *text, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = utf8_sequence(text);
    if (n == 0)
        n = beyond_utf8(p);
    if (n == 0) {
        *code = 0xdc00u + *p;
        return 1;
    }
    *code = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | (p[i] & 0x3fu);
    return n;
}
