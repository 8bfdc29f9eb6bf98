/* The lines around a table: whose it is, what it adds up to, what is missing, what it cost. */
#ifndef TSCAP_REPORT_H
#define TSCAP_REPORT_H

#include <stdint.h>

#include "capture.h"
#include "functions.h"
#include "losses.h"

#define REPORT_ITEM 256 /* room for an item of a heading, or for the line of a loss */

/* `width`: columns that lines are folded to, here and below; 0: no limit. */
void report_heading(const struct capture *c, size_t width);

/* "4242", "4242 and 3 subprocesses (1 ended)". */
void report_write_whose(const struct capture *c, char *buffer, size_t size);

/* `f`: NULL where no functions are listed; `fitting`: of its rows those that the filter lets stand, `limit`: of them may have been printed. */
void report_summary(const struct capture *c, const struct functions *f, size_t fitting, uint64_t limit, size_t width);

/* "3 times that would have been negative, set to 0"; "" for 0. */
void report_write_loss(const struct loss_row *row, const struct profile *p, char *buffer, size_t size);

/* What the heading of top speaks of. `before`: NULL, or the earlier look; `state`: in a word. */
struct moment {
    const struct functions *f;
    const struct capture *now, *before;
    const char *state;
};

/* The version of Python, the state, whose calls they are, threads, calls per second, cost, losses; "" where there is none. */
typedef void (*report_item)(const struct moment *m, char *buffer, size_t size);
extern const report_item report_items[];
extern const size_t report_item_count;

/* The lines above each table of top -b. */
void report_interval(const struct moment *m, size_t width);

#endif
