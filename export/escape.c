#include "escape.h"

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

static void write_escaped(FILE *out, const char *text, bool (*is_special)(unsigned char c, const char *more), const char *more,
                          void (*write_special)(FILE *out, unsigned char c))
{
    for (const char *p = text; *p;) {
        size_t n = plain_run(p, is_special, more);
        if (n)
            fwrite(p, 1, n, out);
        else if (*p & 0x80)
            fputs(REPLACEMENT, out);
        else
            write_special(out, (unsigned char)*p);
        p += n ? n : 1;
    }
}

static bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

/* ---- lines ---- */

static bool special_in_line(unsigned char c, const char *more) { return is_control(c) || c == '\\' || strchr(more, c); }

static void write_hex(FILE *out, unsigned char c)
{
    if (c == '\\')
        fputs("\\\\", out);
    else
        fprintf(out, "\\x%02x", c);
}

void escape_line(FILE *out, const char *text, const char *special) { write_escaped(out, text, special_in_line, special, write_hex); }

/* ---- XML ---- */

static bool special_in_xml(unsigned char c, const char *more)
{
    (void)more;
    return is_control(c) || strchr("&<>\"'", c);
}

static void write_entity(FILE *out, unsigned char c)
{
    if (is_control(c))
        fputs(REPLACEMENT, out);
    else
        fprintf(out, "&#%u;", c);
}

void escape_xml(FILE *out, const char *text) { write_escaped(out, text, special_in_xml, "", write_entity); }

/* ---- CSV ---- */

static bool special_in_csv(unsigned char c, const char *more)
{
    (void)more;
    return c == '"';
}

static void write_twice(FILE *out, unsigned char c) { fprintf(out, "%c%c", c, c); }

void escape_csv(FILE *out, const char *text) { write_escaped(out, text, special_in_csv, "", write_twice); }

/* ---- nothing ---- */

char *escape_invalid(const char *text)
{
    char *copy = malloc(strlen(text) * (sizeof REPLACEMENT - 1) + 1), *to = copy;
    for (const char *p = text; copy && *p;) {
        size_t n = (signed char)*p > 0 ? 1 : character(p);
        to = mempcpy(to, n ? p : REPLACEMENT, n ? n : sizeof REPLACEMENT - 1);
        p += n ? n : 1;
    }
    if (copy)
        *to = '\0';
    return copy;
}
