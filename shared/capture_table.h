/* Tables of a capture file: rows of one kind, to bytes and back. A table names its columns, so that a reader passes over those
 * that it does not know, and finds 0 for those that are not there. For capture_*.c only. */
#ifndef TSCAP_CAPTURE_TABLE_H
#define TSCAP_CAPTURE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a field lies in the struct that is a row. In the file each is an unsigned number. */
enum capture_type {
    CAPTURE_U64,
    CAPTURE_U32,
    CAPTURE_BOOL,
    CAPTURE_STRING, /* char *: number of a string; to a reader borrowed */
    CAPTURE_TEXT,   /* char[]: the same, cut at its size */
    CAPTURE_DOUBLE, /* its bits, IEEE 754 */
};

struct capture_field {
    const char *name;
    uint16_t offset, size;
    uint8_t type; /* enum capture_type */
};

struct capture_table {
    const struct capture_field *field;
    size_t fields;
    size_t row; /* bytes of the struct */
};
#define CAPTURE_COLUMNS 256u /* of a table at most */

/* ---- bytes ---- */

struct capture_bytes {
    uint8_t *data;
    size_t used, room;
    bool failed; /* no memory: what was to be added is not there */
};
void capture_bytes_add(struct capture_bytes *b, const void *data, size_t bytes);
void capture_bytes_number(struct capture_bytes *b, uint64_t number); /* seven bits a byte, the low ones first: LEB128 */
void capture_bytes_free(struct capture_bytes *b);

struct capture_cursor {
    const uint8_t *at, *end;
};
bool capture_cursor_number(struct capture_cursor *c, uint64_t *number); /* false: cut, or beyond 64 bits */

/* ---- rows ---- */

/* What a string is called in the file; 0: "". */
typedef uint64_t capture_string_number(void *context, const char *text);

void capture_table_heading(struct capture_bytes *b, const struct capture_table *t, capture_string_number *number, void *context);
void capture_table_row(struct capture_bytes *b, const struct capture_table *t, const void *row, capture_string_number *number, void *context);

/* Strings by number, [1 .. count]: names as utf8.h has them, and others; not printable. */
struct capture_strings {
    const char **text;
    uint32_t count;
};

/* 0 or -errno, which ends it. */
typedef int capture_take_row(void *context, const void *row);

/* Reads a heading and rows, each into `row`, which has t->row bytes. 0; -EBADMSG: not a table, or a value that its field has no room
 * for; or what `take` returned. */
int capture_table_read(struct capture_cursor *c, const struct capture_table *t, const struct capture_strings *strings, void *row,
                       capture_take_row *take, void *context);

#endif
