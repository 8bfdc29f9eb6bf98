#include "python_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xff00 >> (more + 1) & 0xff) | c);
    return more + 1;
}

static char *make_text(const uint8_t *data, size_t length, unsigned width)
{
    char *text = malloc(4 * length + 1), *end = text;
    for (size_t i = 0; text && i < length; i++) {
        uint32_t c = 0;
        memcpy(&c, data + i * width, width);
        end += put_utf8(end, c && c < 0x110000 ? c : '?');
    }
    if (!text)
        return NULL;
    *end = '\0';
    process_printable(text);
    return text;
}

char *python_text_read(const struct python_memory *m, const struct python_text_layout *l, uint64_t object)
{
    uint8_t data[4 * PYTHON_TEXT_MAX];
    uint64_t length;
    uint32_t state;
    if (m->read(m->context, object + l->length, &length, sizeof length) < 0 || m->read(m->context, object + l->state, &state, sizeof state) < 0)
        return strdup("?");
    state >>= l->kind;
    unsigned width = state & 7;
    bool compact = state & 8, ascii = state & 16;
    if (!compact || (width != 1 && width != 2 && width != 4))
        return strdup("?");
    length = length < PYTHON_TEXT_MAX ? length : PYTHON_TEXT_MAX;
    uint64_t begin = object + l->ascii + (ascii ? 0 : l->other);
    if (m->read(m->context, begin, data, (size_t)length * width) < 0)
        return strdup("?");
    return make_text(data, (size_t)length, width);
}
