/* Wordings: messages as rows of a table, with names in braces for what is known only then:
 *     "process {pid} is already traced", "by process {tracer} ({tracer_name}): a process has one tracer at most"  */
#ifndef TSCAP_WORDING_H
#define TSCAP_WORDING_H

#include <stddef.h>

#include "exit_code.h"

/* As the lines of fail(). */
struct wording {
    const char *what, *why, *remedy;
};

struct wording_field {
    const char *name;
    void (*write)(const void *context, char *buffer, size_t size);
};

struct wording_text {
    char what[256], why[768], remedy[768];
};

/* `fields` ends with one without a name. */
void wording_fill(struct wording_text *t, const struct wording *w, const struct wording_field *fields, const void *context);

/* Prints it as an error: the code. */
int wording_fail(enum exit_code code, const struct wording *w, const struct wording_field *fields, const void *context);

#endif
