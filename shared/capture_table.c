#include "capture_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

/* ---- bytes ---- */

static bool make_room(struct capture_bytes *b, size_t bytes)
{
    if (b->room - b->used >= bytes)
        return true;
    size_t room = b->room ? b->room : 4096;
    while (room - b->used < bytes)
        room *= 2;
    uint8_t *more = realloc(b->data, room);
    b->failed |= !more;
    if (!more)
        return false;
    b->data = more;
    b->room = room;
    return true;
}

void capture_bytes_add(struct capture_bytes *b, const void *data, size_t bytes)
{
    if (!bytes || !make_room(b, bytes))
        return;
    memcpy(b->data + b->used, data, bytes);
    b->used += bytes;
}

void capture_bytes_number(struct capture_bytes *b, uint64_t number)
{
    if (!make_room(b, 10))
        return;
    for (; number >= 0x80; number >>= 7)
        b->data[b->used++] = (uint8_t)(number | 0x80);
    b->data[b->used++] = (uint8_t)number;
}

void capture_bytes_free(struct capture_bytes *b)
{
    free(b->data);
    *b = (struct capture_bytes){0};
}

static bool read_long_number(struct capture_cursor *c, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; c->at < c->end && shift < 64; shift += 7) {
        uint64_t byte = *c->at++;
        if (shift == 63 && byte > 1)
            return false;
        *number |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Most are of one byte. */
static inline bool read_number(struct capture_cursor *c, uint64_t *number)
{
    if (c->at == c->end || *c->at >= 0x80)
        return read_long_number(c, number);
    *number = *c->at++;
    return true;
}

bool capture_cursor_number(struct capture_cursor *c, uint64_t *number) { return read_number(c, number); }

/* ---- writing ---- */

static uint64_t value_of(const struct capture_field *f, const void *row, capture_string_number *number, void *context)
{
    const void *field = (const char *)row + f->offset;
    uint64_t bits;
    switch (f->type) {
    case CAPTURE_U32:
        return *(const uint32_t *)field;
    case CAPTURE_BOOL:
        return *(const bool *)field;
    case CAPTURE_STRING:
        return number(context, *(char *const *)field);
    case CAPTURE_TEXT:
        return number(context, field);
    default:
        memcpy(&bits, field, sizeof bits);
        return bits;
    }
}

void capture_table_heading(struct capture_bytes *b, const struct capture_table *t, capture_string_number *number, void *context)
{
    capture_bytes_number(b, t->fields);
    for (size_t i = 0; i < t->fields; i++)
        capture_bytes_number(b, number(context, t->field[i].name));
}

void capture_table_row(struct capture_bytes *b, const struct capture_table *t, const void *row, capture_string_number *number, void *context)
{
    for (size_t i = 0; i < t->fields; i++)
        capture_bytes_number(b, value_of(&t->field[i], row, number, context));
}

/* ---- reading ---- */

/* Which field each column is; NULL: none that is known. */
struct columns {
    const struct capture_field *field[CAPTURE_COLUMNS];
    uint64_t count;
};

static const char *string_of(const struct capture_strings *s, uint64_t number)
{
    return number == 0 ? "" : number <= s->count ? s->text[number] : NULL;
}

static const struct capture_field *find_field(const struct capture_table *t, const char *name)
{
    for (size_t i = 0; i < t->fields; i++)
        if (strcmp(t->field[i].name, name) == 0)
            return &t->field[i];
    return NULL;
}

static bool read_heading(struct capture_cursor *c, const struct capture_table *t, const struct capture_strings *strings, struct columns *columns)
{
    uint64_t number;
    if (!capture_cursor_number(c, &columns->count) || columns->count > CAPTURE_COLUMNS)
        return false;
    for (uint64_t i = 0; i < columns->count; i++) {
        const char *name = capture_cursor_number(c, &number) ? string_of(strings, number) : NULL;
        if (!name)
            return false;
        columns->field[i] = find_field(t, name);
    }
    return true;
}

/* A text that is cut in the middle of a character shows '?' there. */
static void set_text(char *to, size_t size, const char *text)
{
    size_t n = strnlen(text, size - 1);
    memcpy(to, text, n);
    to[n] = '\0';
    process_printable(to);
}

static bool set_string(const struct capture_field *f, void *field, uint64_t value, const struct capture_strings *strings)
{
    const char *text = string_of(strings, value);
    if (text && f->type == CAPTURE_STRING)
        *(const char **)field = text;
    else if (text)
        set_text(field, f->size, text);
    return text;
}

static inline bool set_value(const struct capture_field *f, void *row, uint64_t value, const struct capture_strings *strings)
{
    void *field = (char *)row + f->offset;
    switch (f->type) {
    case CAPTURE_U32:
        *(uint32_t *)field = (uint32_t)value;
        return value <= UINT32_MAX;
    case CAPTURE_BOOL:
        *(bool *)field = value;
        return value <= 1;
    case CAPTURE_STRING:
    case CAPTURE_TEXT:
        return set_string(f, field, value, strings);
    default:
        memcpy(field, &value, sizeof value);
        return true;
    }
}

/* What has no column is 0, or "". */
static void clear_row(const struct capture_table *t, void *row)
{
    memset(row, 0, t->row);
    for (size_t i = 0; i < t->fields; i++)
        if (t->field[i].type == CAPTURE_STRING)
            *(const char **)((char *)row + t->field[i].offset) = "";
}

static bool read_row(struct capture_cursor *c, const struct columns *columns, const struct capture_strings *strings, void *row)
{
    uint64_t value;
    for (uint64_t i = 0; i < columns->count; i++) {
        if (!read_number(c, &value))
            return false;
        if (columns->field[i] && !set_value(columns->field[i], row, value, strings))
            return false;
    }
    return true;
}

int capture_table_read(struct capture_cursor *c, const struct capture_table *t, const struct capture_strings *strings, void *row,
                       capture_take_row *take, void *context)
{
    struct columns columns;
    uint64_t rows;
    if (!read_heading(c, t, strings, &columns) || !capture_cursor_number(c, &rows))
        return -EBADMSG;
    if (rows > (uint64_t)(c->end - c->at) || (rows && !columns.count)) /* a value has a byte at least */
        return -EBADMSG;
    for (int r; rows; rows--) {
        clear_row(t, row);
        if (!read_row(c, &columns, strings, row))
            return -EBADMSG;
        r = take(context, row);
        if (r < 0)
            return r;
    }
    return c->at == c->end ? 0 : -EBADMSG;
}
