/* The two sides of a comparison, with what is known of each capture, and what came of it: what is written in one form or another. */
#ifndef TSCAP_SIDES_H
#define TSCAP_SIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "about.h"
#include "comparison.h"

struct sides {
    struct tally tally[SIDES];
    struct about *about; /* A's, then B's */
    size_t known;        /* of them, that are filled */
    struct comparison comparison;
    bool fails_over; /* the threshold was given */
};

/* To be freed in any case. 0 or -ENOMEM. */
int sides_begin(struct sides *s, size_t a_captures, size_t b_captures);
void sides_free(struct sides *s);

/* The next capture: first those of A. 0 or -ENOMEM. */
int sides_add(struct sides *s, const char *name, const struct capture *c);

static inline const struct about *sides_about(const struct sides *s, enum side side)
{
    return side == SIDE_A ? s->about : s->about + s->tally[SIDE_A].captures;
}

/* The verdict and why, a sentence. */
#define SIDES_VERDICT 512
void sides_explain(const struct sides *s, char *buffer, size_t size);

/* "python: A 3.11.7; B 3.13.0": a line for what is not the same in all captures, or NULL after the last, from *fact = 0 on. */
const char *sides_next_difference(const struct sides *s, size_t *fact, char *buffer, size_t size);

/* "7 captures, 10.0 s to 10.2 s: old-1.tscap, old-2.tscap and 5 more". */
void sides_write_captures(const struct sides *s, enum side side, char *buffer, size_t size);

/* The lines above a table, and below it: of all functions so many are shown. */
void sides_write_heading(const struct sides *s, FILE *out);
void sides_write_summary(const struct sides *s, size_t shown, FILE *out);

/* The forms in which it is written, a file each: at most `limit` rows, fitted into `width` columns, 0: no limit. False: no memory, it
 * is not whole. */
bool sides_print_functions(const struct sides *s, uint64_t limit, size_t width, FILE *out); /* change_table.c */
bool sides_print_tree(const struct sides *s, uint64_t limit, size_t width, FILE *out); /* change_tree.c */
bool sides_write_markdown(const struct sides *s, uint64_t limit, FILE *out); /* change_markdown.c */
bool sides_write_picture(const struct sides *s, FILE *out); /* change_picture.c: SVG */
bool sides_write_json(const struct sides *s, bool paths, FILE *out); /* change_json.c, man/tscap.diff.schema.json */

#endif
