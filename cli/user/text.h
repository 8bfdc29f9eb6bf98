/* Text on a terminal: how wide it is, and what to leave out where it is too wide. UTF-8 throughout. */
#ifndef TSCAP_TEXT_H
#define TSCAP_TEXT_H

#include <stddef.h>

/* Chooses the locale by which widths are known. Once, first. */
void text_init(void);

/* Columns that `text` takes; what cannot be decoded or printed counts as one. */
size_t text_width(const char *text);

/* Bytes of the longest beginning that takes at most `width` columns. */
size_t text_prefix(const char *text, size_t width);

/* Cut to at most `width` columns, in place. The result never has more bytes than before.
 * at the end:    "a long command ..."
 * in the path:   "name (/usr/.../file.py:12)"; the name is never cut, so the result may be wider than asked for */
void text_cut_end(char *text, size_t width);
void text_cut_path(char *text, size_t width);

#endif
