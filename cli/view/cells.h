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

#endif
