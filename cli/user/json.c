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
    *j = (struct json){.out = out};
}

/* ---- strings ---- */

static void write_control(FILE *out, unsigned char c)
{
    static const char named[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *p = c ? strchr(named, c) : NULL;
    if (p)
        fprintf(out, "\\%c", letters[p - named]);
    else
        fprintf(out, "\\u%04x", c);
}

static void write_string(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = utf8_sequence((const char *)p);
        if (n == 0)
            fputs("\\ufffd", out);
        else if (*p < 0x20 || *p == 0x7f)
            write_control(out, *p);
        else if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else
            fwrite(p, 1, n, out);
        p += n ? n : 1;
    }
    putc('"', out);
}

/* ---- structure ---- */

static void new_line(const struct json *j) { fprintf(j->out, "\n%*s", (int)j->depth * 2, ""); }

/* What stands before each value: a comma if it is not the first, and its key. */
static void write_lead(struct json *j, const char *key)
{
    if (j->depth) {
        unsigned char *level = &j->level[j->depth - 1];
        bool lines = j->depth <= LINES_DEPTH;
        if (*level & FILLED)
            fputs(lines ? "," : ", ", j->out);
        *level |= FILLED;
        if (lines)
            new_line(j);
    }
    if (key) {
        write_string(j->out, key);
        fputs(": ", j->out);
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
    write_lead(j, key);
    putc(opening, j->out);
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
    putc(level & ~FILLED, j->out);
}

bool json_finish(struct json *j)
{
    while (!j->failed && j->depth)
        json_end(j);
    putc('\n', j->out);
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
    write_lead(j, key);
    write_string(j->out, value);
}

void json_count(struct json *j, const char *key, uint64_t value)
{
    write_lead(j, key);
    fprintf(j->out, "%" PRIu64, value);
}

void json_number(struct json *j, const char *key, double value)
{
    if (!isfinite(value)) {
        json_null(j, key);
        return;
    }
    write_lead(j, key);
    fprintf(j->out, "%.17g", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    write_lead(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
    write_lead(j, key);
    fputs("null", j->out);
}
