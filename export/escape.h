/* Names, as utf8.h has them, in formats whose lines and signs have a meaning. */
#ifndef TSCAP_ESCAPE_H
#define TSCAP_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* For formats of lines: control characters and those in `special` as \xNN, a backslash doubled, so that it can be undone.
 * A byte that is no UTF-8 as \xNN, too; another lone surrogate as \uNNNN. */
void escape_line(FILE *out, const char *text, const char *special);

/* For XML: & < > " ' as entities; what XML cannot have, as control characters, as U+FFFD. */
void escape_xml(FILE *out, const char *text);

/* For a quoted field of CSV: a quote doubled; NUL and what is no UTF-8 as U+FFFD. */
void escape_csv(FILE *out, const char *text);

/* As it is, but for NUL and what is no UTF-8: U+FFFD. To be freed; NULL: no memory. */
char *escape_invalid(const char *text);

/* As Python encodes it with `surrogatepass`, NUL included; *size: its bytes. To be freed; NULL: no memory. */
char *escape_python(const char *text, size_t *size);

#endif
