/* Names in formats whose lines and signs have a meaning. Bytes that are no UTF-8 become U+FFFD in each. */
#ifndef TSCAP_ESCAPE_H
#define TSCAP_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* For formats of lines: control characters and those in `special` as \xNN, a backslash doubled, so that it can be undone. */
void escape_line(FILE *out, const char *text, const char *special);

/* For XML: & < > " ' as entities; control characters, which XML cannot have, as U+FFFD. */
void escape_xml(FILE *out, const char *text);

/* For a quoted field of CSV: a quote doubled. */
void escape_csv(FILE *out, const char *text);

/* As it is. To be freed; NULL: no memory. */
char *escape_invalid(const char *text);

#endif
