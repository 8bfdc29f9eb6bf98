/* Writes JSON (RFC 8259) as a stream. Commas, brackets and escapes come right by construction: what is begun is counted,
 * and json_end() knows what it ends. Texts are names as utf8.h has them: lone surrogates are written as \uDC80, as Python's json does. `key`: NULL inside an array; ours, so it has nothing to
 * escape. */
#ifndef TSCAP_JSON_H
#define TSCAP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    unsigned char *level; /* per open bracket: the one that closes it, and whether it has something inside */
    size_t depth, room;
    bool failed; /* no memory: what was written is not whole */
    size_t used;
    char buffer[8192]; /* what is not in `out` yet: nobody else writes there before json_finish() */
};

void json_begin(struct json *j, FILE *out);
bool json_finish(struct json *j); /* closes what is open, ends the line; false: not whole */

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* of the innermost object or array */

void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_count(struct json *j, const char *key, uint64_t value);
void json_number(struct json *j, const char *key, double value); /* not finite: null */
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_raw_array(struct json *j, const char *text, size_t length); /* of numbers, made elsewhere: "1,2" */

#endif
