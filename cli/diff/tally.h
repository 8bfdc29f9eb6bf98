/* A tally: what the captures of one side say of each function, and of each path of all their threads and processes together. */
#ifndef TSCAP_TALLY_H
#define TSCAP_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "counts.h"
#include "pairing.h"

enum side { SIDE_A, SIDE_B, SIDES }; /* before, and after */

#define TALLY_CAPTURES 1000 /* at most */

/* Counts and ns. Paths have those before QUANTITY_SUMS. */
enum quantity {
    QUANTITY_CALLS,
    QUANTITY_EXCLUSIVE,
    QUANTITY_CPU, /* exclusive time on a CPU */
    QUANTITY_INCLUSIVE,
    QUANTITY_ELAPSED,
    QUANTITY_SUMS,
    QUANTITY_P50 = QUANTITY_SUMS,
    QUANTITY_P95,
    QUANTITY_P99,
    QUANTITIES
};
const char *quantity_name(enum quantity q); /* as in JSON: "exclusive_ns" */

#define TALLY_UNKNOWN UINT64_MAX /* no CPU time was measured; no call has ended */

struct tally_function {
    struct identity who; /* as the last capture that has it says; owned */
    uint64_t *of;        /* [captures * QUANTITIES]: of each capture; 0 in those that have no call of it */
};

#define TALLY_OTHER UINT32_MAX /* in the place of a function: paths that were given up */

struct tally_path {
    uint32_t parent;   /* index; 0: it begins a thread */
    uint32_t function; /* index; TALLY_OTHER */
    uint64_t *of;      /* [captures * QUANTITY_SUMS] */
};

struct tally {
    size_t captures; /* that it is of, at most TALLY_CAPTURES; they are added one by one */
    struct tally_function *function;
    size_t functions, functions_room;
    struct tally_path *path; /* [1 .. paths]: callers before callees */
    size_t paths, paths_room;
    struct counts known; /* parent, function -> path */
};

/* To be freed in any case. 0 or -ENOMEM. */
int tally_begin(struct tally *t, size_t captures);
void tally_free(struct tally *t);

/* Capture `number`, below `captures`, each once. 0 or -ENOMEM. */
int tally_add(struct tally *t, size_t number, const struct capture *c);

static inline uint64_t tally_value(const struct tally_function *f, size_t capture, enum quantity q) { return f->of[capture * QUANTITIES + q]; }

#endif
