#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "utf8.h"

#define LINES_DEPTH 2 /* what lies deeper than this stays on one line: a line per site, thread, pair */
#define FILLED 0x80   /* in a level: something has been written inside */

void json_begin(struct json *j, FILE *out)
{
    j->out = out;
    j->level = NULL;
    j->depth = j->room = j->used = 0;
    j->failed = false;
}

/* ---- bytes: on their way in a buffer, for a document may have millions of values ---- */

static void flush(struct json *j)
{
    fwrite(j->buffer, 1, j->used, j->out);
    j->used = 0;
}

static void put(struct json *j, const char *bytes, size_t count)
{
    if (count > sizeof j->buffer - j->used)
        flush(j);
    if (count > sizeof j->buffer) {
        fwrite(bytes, 1, count, j->out);
        return;
    }
    memcpy(j->buffer + j->used, bytes, count);
    j->used += count;
}

static void put_byte(struct json *j, char c)
{
    if (j->used == sizeof j->buffer)
        flush(j);
    j->buffer[j->used++] = c;
}

static void put_text(struct json *j, const char *text) { put(j, text, strlen(text)); }

/* ---- strings ---- */

static void put_escaped(struct json *j, uint32_t c)
{
    static const char named[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *p = c && c < 0x20 ? strchr(named, (int)c) : NULL;
    char text[8];
    if (p)
        snprintf(text, sizeof text, "\\%c", letters[p - named]);
    else
        snprintf(text, sizeof text, "\\u%04" PRIx32, c);
    put_text(j, text);
}

static bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

static bool is_surrogate(uint32_t code) { return code >= 0xd800 && code < 0xe000; }

/* What is not plain: one character, as utf8.h has them. Returns how many bytes that was. */
static size_t put_other(struct json *j, const char *text)
{
    uint32_t code;
    size_t n = utf8_character(text, &code);
    if (code < 0x20 || code == 0x7f || is_surrogate(code))
        put_escaped(j, code);
    else if (code == '"' || code == '\\') {
        put_byte(j, '\\');
        put_byte(j, (char)code);
    } else
        put(j, text, n);
    return n;
}

static void put_string(struct json *j, const char *text)
{
    put_byte(j, '"');
    while (*text) {
        size_t plain = 0;
        while (is_plain((unsigned char)text[plain]))
            plain++;
        put(j, text, plain);
        text += plain;
        if (*text)
            text += put_other(j, text);
    }
    put_byte(j, '"');
}

/* ---- structure ---- */

static void new_line(struct json *j)
{
    put_byte(j, '\n');
    for (size_t i = 0; i < j->depth; i++)
        put(j, "  ", 2);
}

/* What stands before each value: a comma if it is not the first, and its key. */
static void put_lead(struct json *j, const char *key)
{
    if (j->depth) {
        unsigned char *level = &j->level[j->depth - 1];
        bool lines = j->depth <= LINES_DEPTH;
        if (*level & FILLED)
            put(j, ", ", lines ? 1 : 2);
        *level |= FILLED;
        if (lines)
            new_line(j);
    }
    if (key) {
        put_byte(j, '"');
        put_text(j, key);
        put(j, "\": ", 3);
    }
}

static bool reserve_level(struct json *j)
{
    unsigned char *level = array_room(j->level, j->depth, &j->room, 1);
    if (level)
        j->level = level;
    return level != NULL;
}

static void open_level(struct json *j, const char *key, char opening, unsigned char closing)
{
    if (j->failed || !reserve_level(j)) {
        j->failed = true;
        return;
    }
    put_lead(j, key);
    put_byte(j, opening);
    j->level[j->depth++] = closing;
}

void json_object(struct json *j, const char *key) { open_level(j, key, '{', '}'); }
void json_array(struct json *j, const char *key) { open_level(j, key, '[', ']'); }

void json_end(struct json *j)
{
    if (j->failed || j->depth == 0)
        return;
    bool lines = j->depth <= LINES_DEPTH;
    unsigned char level = j->level[--j->depth];
    if (lines && (level & FILLED))
        new_line(j);
    put_byte(j, (char)(level & ~FILLED));
}

bool json_finish(struct json *j)
{
    while (!j->failed && j->depth)
        json_end(j);
    put_byte(j, '\n');
    flush(j);
    free(j->level);
    j->level = NULL;
    return !j->failed;
}

/* ---- values ---- */

void json_string(struct json *j, const char *key, const char *value)
{
    if (!value) {
        json_null(j, key);
        return;
    }
    put_lead(j, key);
    put_string(j, value);
}

/* By hand: most of what there is are counts, and printf() takes five times as long. */
void json_count(struct json *j, const char *key, uint64_t value)
{
    char digits[20], *first = digits + sizeof digits;
    do
        *--first = (char)('0' + value % 10);
    while (value /= 10);
    put_lead(j, key);
    put(j, first, (size_t)(digits + sizeof digits - first));
}

void json_number(struct json *j, const char *key, double value)
{
    char text[32];
    if (!isfinite(value)) {
        json_null(j, key);
        return;
    }
    snprintf(text, sizeof text, "%.15g", value); /* 4.3, not 4.2999999999999998: as long as it is the same number */
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    put_lead(j, key);
    put_text(j, text);
}

void json_bool(struct json *j, const char *key, bool value)
{
    put_lead(j, key);
    put_text(j, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    put_lead(j, key);
    put_text(j, "null");
}

void json_raw_array(struct json *j, const char *text, size_t length)
{
    put_lead(j, NULL);
    put_byte(j, '[');
    put(j, text, length);
    put_byte(j, ']');
}
