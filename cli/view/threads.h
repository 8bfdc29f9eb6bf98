/* The threads of a profile as a table. */
#ifndef TSCAP_THREADS_H
#define TSCAP_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "cells.h"

struct thread_row {
    struct profile_times t; /* first: see cells.h; sums over all of the thread's paths */
    const struct profile_thread *thread; /* (borrowed) */
};

struct threads {
    struct cells cells;     /* first; the whole: exclusive times of all threads */
    struct thread_row *row; /* as in the profile; in an interval only those that live or did something */
    size_t count;
};

enum thread_table { THREADS = 1, THREADS_FAMILY = 2 };
extern const struct column thread_columns[];

/* `before`: NULL, or an earlier look. 0 or -ENOMEM. */
int threads_make(struct threads *x, const struct capture *now, const struct capture *before);
void threads_free(struct threads *x);

/* False: no memory. `columns`: as of table_choose(). */
bool threads_print(const struct capture *c, uint64_t limit, const char *columns, size_t width);

/* Has it something to show? The others only ever had memory set aside. */
static inline bool thread_recorded(const struct profile_thread *t) { return t->first_root || !t->complete; }

/* "MainThread", or something in the place of a name. */
const char *thread_name(const struct profile_thread *t);

#endif
