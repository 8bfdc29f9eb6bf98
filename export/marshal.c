#include "marshal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"

/* Little-endian, whatever the machine is. */
static void write_bytes(FILE *out, uint64_t value, unsigned bytes)
{
    for (; bytes; bytes--, value >>= 8)
        putc((int)(value & 0xff), out);
}

void marshal_dict(FILE *out) { putc('{', out); }
void marshal_dict_end(FILE *out) { putc('0', out); }

void marshal_tuple(FILE *out, uint32_t count)
{
    putc('(', out);
    write_bytes(out, count, 4);
}

/* Beyond 31 bits: digits of 15 bits, the lowest first. */
static void write_long(FILE *out, uint64_t value)
{
    uint32_t digits = 0;
    for (uint64_t rest = value; rest; rest >>= 15)
        digits++;
    putc('l', out);
    write_bytes(out, digits, 4);
    for (; value; value >>= 15)
        write_bytes(out, value & 0x7fff, 2);
}

void marshal_int(FILE *out, uint64_t value)
{
    if (value > INT32_MAX) {
        write_long(out, value);
        return;
    }
    putc('i', out);
    write_bytes(out, value, 4);
}

void marshal_float(FILE *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    putc('g', out);
    write_bytes(out, bits, 8);
}

int marshal_text(FILE *out, const char *text)
{
    size_t size;
    char *encoded = escape_python(text, &size);
    if (!encoded)
        return -ENOMEM;
    putc('u', out);
    write_bytes(out, size, 4);
    fwrite(encoded, 1, size, out);
    free(encoded);
    return 0;
}
