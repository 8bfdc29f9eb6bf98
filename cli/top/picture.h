/* Pictures: what the full-screen top has to show, and how its keys change that. No terminal, no process: looks come in,
 * rows come out, in order, filtered, from where they are scrolled to. */
#ifndef TSCAP_PICTURE_H
#define TSCAP_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "functions.h"
#include "table.h"
#include "threads.h"

#define PICTURE_FILTER 128
#define PICTURE_STATE 96
#define PICTURE_NOTICE 256

enum picture_list { PICTURE_FUNCTIONS, PICTURE_THREADS, PICTURE_LISTS };

/* A capture that several may need, and its users. */
struct look {
    struct capture capture;
    unsigned users;
};

struct picture {
    /* set by who watches the process */
    bool whole_tree; /* looks are sums over several processes */
    char state[PICTURE_STATE];   /* of the process */
    char notice[PICTURE_NOTICE]; /* what else is to be said; "": nothing */

    /* chosen by keys */
    enum picture_list list;
    bool total;  /* everything since the baseline, not only the last interval */
    bool paused; /* no new looks */
    bool help;   /* instead of the table */
    bool typing; /* the filter is being typed */
    bool leaving;
    bool rebase; /* the next look shall be the baseline; it is waited for */
    char filter[PICTURE_FILTER];
    const struct column *sort[PICTURE_LISTS];
    struct table_habit habit[PICTURE_LISTS];
    size_t first;      /* row of the list, or line of the help, that is on top */
    size_t page;       /* rows that fit: what PgDn skips */

    /* looks; those that are not the same belong to the same recording or not: who subtracts sees */
    struct look *now, *before; /* the interval; NULL: none yet */
    struct look *baseline;     /* of the total; NULL: the recording's beginning */

    /* made from them */
    bool made;
    struct functions functions;
    struct threads threads;
    const void **row; /* rows of the list that fit the filter, sorted */
    size_t rows, all; /* of the list: those, and without the filter */
};

void picture_init(struct picture *p, const struct column *sort);
void picture_free(struct picture *p);

/* Takes the capture over. 0 or -ENOMEM, then it is freed. */
int picture_add(struct picture *p, struct capture *taken);

/* Makes rows, if anything changed since they were made. 0 or -ENOMEM. */
int picture_make(struct picture *p);

/* Something that rows depend on was changed. */
static inline void picture_changed(struct picture *p) { p->made = false; }

/* Keeps `first` where rows are. `count`: rows there are; `page`: rows that fit. */
void picture_clamp(struct picture *p, size_t count, size_t page);

/* The columns of the list, and their table. */
const struct column *picture_columns(const struct picture *p, unsigned *table);

/* Their context: see cells.h. */
const void *picture_context(const struct picture *p);

/* The earlier look that rows are the difference to; NULL: none. */
const struct capture *picture_earlier(const struct picture *p);

#endif
