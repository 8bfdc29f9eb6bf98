#include "escape.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the character at `p`, which is not ASCII; 0: none. U+FFFE and U+FFFF are not for interchange, and not for XML. */
static size_t character(const char *p)
{
    bool none = strncmp(p, "\xef\xbf\xbe", 3) == 0 || strncmp(p, "\xef\xbf\xbf", 3) == 0;
    return none ? 0 : utf8_sequence(p);
}

/* Bytes at `p` that can be written as they are: a run without what is special, or one whole character. 0: none. */
static size_t plain_run(const char *p, bool (*is_special)(unsigned char c, const char *more), const char *more)
{
    size_t n = 0;
    while ((signed char)p[n] > 0 && !is_special((unsigned char)p[n], more))
        n++;
    return n || (signed char)*p >= 0 ? n : character(p);
}

/* `write_special` gets what is special, NUL, and what UTF-8 has no sequence for. */
static void write_escaped(FILE *out, const char *text, bool (*is_special)(unsigned char c, const char *more), const char *more,
                          void (*write_special)(FILE *out, uint32_t c))
{
    for (const char *p = text; *p;) {
        size_t n = plain_run(p, is_special, more);
        uint32_t code;
        if (n)
            fwrite(p, 1, n, out);
        else {
            n = utf8_character(p, &code);
            write_special(out, code);
        }
        p += n;
    }
}

static bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

/* ---- lines ---- */

static bool special_in_line(unsigned char c, const char *more) { return is_control(c) || c == '\\' || strchr(more, c); }

/* A surrogate that stands for a byte, as that byte. */
static void write_hex(FILE *out, uint32_t c)
{
    if (c == '\\')
        fputs("\\\\", out);
    else if (c >= 0xdc80 && c <= 0xdcff)
        fprintf(out, "\\x%02" PRIx32, c - 0xdc00);
    else
        fprintf(out, c < 0x80 ? "\\x%02" PRIx32 : "\\u%04" PRIx32, c);
}

void escape_line(FILE *out, const char *text, const char *special) { write_escaped(out, text, special_in_line, special, write_hex); }

/* ---- XML ---- */

static bool special_in_xml(unsigned char c, const char *more)
{
    (void)more;
    return is_control(c) || strchr("&<>\"'", c);
}

static void write_entity(FILE *out, uint32_t c)
{
    if (c >= 0x7f || is_control((unsigned char)c))
        fputs(REPLACEMENT, out);
    else
        fprintf(out, "&#%" PRIu32 ";", c);
}

void escape_xml(FILE *out, const char *text) { write_escaped(out, text, special_in_xml, "", write_entity); }

/* ---- CSV ---- */

static bool special_in_csv(unsigned char c, const char *more)
{
    (void)more;
    return c == '"';
}

static void write_twice(FILE *out, uint32_t c) { fputs(c == '"' ? "\"\"" : REPLACEMENT, out); }

void escape_csv(FILE *out, const char *text) { write_escaped(out, text, special_in_csv, "", write_twice); }

/* ---- nothing ---- */

char *escape_invalid(const char *text)
{
    char *copy = malloc(strlen(text) * (sizeof REPLACEMENT - 1) + 1), *to = copy;
    for (const char *p = text; copy && *p;) {
        uint32_t code;
        size_t valid = utf8_sequence(p), n = utf8_character(p, &code);
        to = mempcpy(to, valid ? p : REPLACEMENT, valid ? valid : sizeof REPLACEMENT - 1);
        p += n;
    }
    if (copy)
        *to = '\0';
    return copy;
}

static char *add_surrogate(char *to, uint32_t code)
{
    *to++ = (char)(0xe0 | code >> 12);
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

char *escape_python(const char *text, size_t *size)
{
    char *copy = malloc(strlen(text) * 3 + 1), *to = copy;
    for (const char *p = text; copy && *p;) {
        uint32_t code;
        size_t n = utf8_character(p, &code);
        if (code == 0)
            *to++ = '\0';
        else
            to = n == 1 && code > 0x7f ? add_surrogate(to, code) : mempcpy(to, p, n);
        p += n;
    }
    *size = (size_t)(to - copy);
    return copy;
}
