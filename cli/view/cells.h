/* Cells that the tables of a profile share. Their rows begin with struct profile_times, their contexts with struct cells. */
#ifndef TSCAP_CELLS_H
#define TSCAP_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "table.h"

struct cells {
    const struct capture *capture; /* (borrowed) */
    uint64_t whole;                /* ticks that are 100 % */
};

uint64_t key_calls(const void *row, const void *context);
uint64_t key_open(const void *row, const void *context);
uint64_t key_suspended(const void *row, const void *context);
uint64_t key_elapsed(const void *row, const void *context);
uint64_t key_inclusive(const void *row, const void *context);
uint64_t key_exclusive(const void *row, const void *context);
uint64_t key_exclusive_cpu(const void *row, const void *context); /* 0 where there is no CPU time */

#define CELLS_AT_LEAST ">= " /* before a CPU time to which more may belong: nobody knows */

/* The column's key as a number, as a time, as a time that there may be none of, and as a share of the whole. */
void cell_count(const struct column *c, const void *row, const void *context, char *buffer, size_t size);
void cell_time(const struct column *c, const void *row, const void *context, char *buffer, size_t size);
void cell_cpu_time(const struct column *c, const void *row, const void *context, char *buffer, size_t size);
void cell_percent(const struct column *c, const void *row, const void *context, char *buffer, size_t size);

/* What stands where nothing is known. */
void cell_unknown(char *buffer, size_t size);

/* Sums of two looks at a process that works need not fit: never below 0. */
static inline uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* What came since an earlier look; what is open now stays as it is. */
void times_subtract(struct profile_times *t, const struct profile_times *before);

static inline bool times_any(const struct profile_times *t) { return t->calls || t->inclusive || t->exclusive; }

/* Ticks on the CPU: of all, and of the function's own. */
static inline uint64_t cpu_inclusive(const struct profile_times *t) { return minus(t->inclusive, t->off_inclusive); }
static inline uint64_t cpu_exclusive(const struct profile_times *t) { return minus(t->exclusive, t->off_exclusive); }

#endif
