/* Text on a terminal: how wide it is, and what to leave out where it is too wide. UTF-8 throughout. */
#ifndef TSCAP_TEXT_H
#define TSCAP_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Chooses the locale by which widths are known. Once, first. */
void text_init(void);

/* Columns that `text` takes; what cannot be decoded or printed counts as one. */
size_t text_width(const char *text);

/* Bytes of the longest beginning that takes at most `width` columns. */
size_t text_prefix(const char *text, size_t width);

/* Cut to at most `width` columns, in place. The result never has more bytes than before.
 * at the end:    "a long command ..."
 * in the path:   "name (/usr/.../file.py:12)"; if that is not enough, of the file's name "(...le.py:12)", then of the name */
void text_cut_end(char *text, size_t width);
void text_cut_path(char *text, size_t width);

/* Columns that "name (/usr/lib/file.py:12)" takes at least with its name, the file's own and the line whole. */
size_t text_least_path(const char *text);

/* Prints lines, those that are wider than `width` columns as several, from the second on two columns further in, parted where there are
 * blanks, if there are. 0: as they are. */
void text_print_folded(const char *text, size_t width, FILE *out);

/* The same for lines that are written little by little, to what text_fold_begin() returns; text_fold_end() prints them. */
struct text_fold {
    FILE *out, *memory; /* NULL: without memory they go to `out` as they are */
    char *text;
    size_t bytes, width;
};
FILE *text_fold_begin(struct text_fold *f, size_t width, FILE *out);
void text_fold_end(struct text_fold *f);

/* How the texts of a column are made to fit. */
struct text_fit {
    void (*cut)(char *text, size_t width);
    size_t (*least)(const char *text); /* columns it should have; NULL: any number will do */
};
extern const struct text_fit text_fit_end, text_fit_path;

#endif
