/* Tables: columns are rows of a constant array, so that the same array gives the header, the cells, --sort and its help. */
#ifndef TSCAP_TABLE_H
#define TSCAP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

#define TABLE_COLUMNS 32 /* at most, in one table */
#define TABLE_CELL 5000 /* bytes; a name and a path of the longest a segment can hold */

struct column {
    const char *name;   /* as in --sort */
    const char *header;
    const char *help;
    unsigned tables;    /* bit mask: the tables that show it */
    bool left;          /* aligned to the left */
    unsigned spare;     /* where there is too little room, columns go, the highest first; 0: stays */
    void (*cell)(const struct column *c, const void *row, const void *context, char *buffer, size_t size);
    uint64_t (*key)(const void *row, const void *context); /* sorts falling; NULL: by the text of the cell, rising */
    const struct text_fit *fit;            /* how the last column is made to fit; NULL: not at all */
    bool (*idle)(const void *context);     /* it would have nothing to say, so it is left out unless wanted; NULL: never */
};

/* The columns of one table out of an array shared by several; ended by a row without a name. */
const struct column *column_find(const struct column *columns, unsigned table, const char *name);
void column_list(const struct column *columns, unsigned table, FILE *out);
/* The n-th of the table, from 0; NULL: there are not so many. */
const struct column *column_at(const struct column *columns, unsigned table, size_t n);

/* The column that --sort names, `otherwise` for NULL; NULL after a message, or after the list that "help" asks for: then `*code` is
 * the exit code. `command`: for the message. */
const struct column *column_sorting(const struct column *columns, unsigned table, const char *name, const char *otherwise, const char *command,
                                    int *code);

/* Are all of these, with commas in between, columns of the table? EXIT_OK, or EXIT_USAGE after a message that lists those there
 * are. `command`: for the message. */
int column_check(const struct column *columns, unsigned table, const char *names, const char *command);

/* Pointers into one array; equal ones keep the order they have there. */
void column_sort(const struct column *column, const void **rows, size_t count, const void *context);

/* What who looks at a table for a longer time chose and got used to; columns are bits by their order. */
struct table_habit {
    uint32_t hidden, wanted;     /* columns to leave out; to show where they would be left out for lack of room */
    size_t width[TABLE_COLUMNS]; /* columns do not become narrower again */
    size_t least;                /* what the last column should have does not become less, either */
    const struct column *marked; /* in the header; rows are sorted by it, so it stays */
    /* out: */
    uint32_t shown;
    size_t mark, mark_width; /* where the marked one's header is, in columns of the terminal; none: width 0 */
};

struct table {
    const struct column **column; /* those shown */
    size_t columns;
    struct table_habit *habit; /* (borrowed) NULL: none */
    const struct column *kept; /* stays, whatever room there is; NULL: none */
    bool chosen;               /* so do all */
    size_t *width;
    char **cell; /* row after row */
    size_t rows, room;
    const void *context; /* (borrowed) */
    bool failed; /* no memory */
};

void table_begin(struct table *t, const struct column *columns, unsigned table, const void *context);
void table_accustom(struct table *t, struct table_habit *habit); /* before rows are added */
/* Before rows are added: this column is shown in any case, for rows are sorted by it. */
void table_keep(struct table *t, const struct column *column);
/* Before rows are added: only these columns, in this order, in any case: names that column_check() lets pass, to which the last
 * column of the table is added. NULL: as the table has them. */
void table_choose(struct table *t, const char *names);
void table_add(struct table *t, const void *row);
/* `width`: columns of the terminal, 0: no limit. Frees the table; false: it could not be made whole. */
bool table_finish(struct table *t, FILE *out, size_t width, bool styled);

#endif
