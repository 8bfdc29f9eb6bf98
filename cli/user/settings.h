/* Settings: what a command line says, for the command to go by. */
#ifndef TSCAP_SETTINGS_H
#define TSCAP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNSET UINT64_MAX /* a count or a time that it does not mention */

#define LIST_MAX 64
struct list { /* of an option that may be repeated */
    const char *text[LIST_MAX];
    size_t count;
};

struct settings {
    const char *command; /* its full name */
    bool attach, dry_run, builtins, while_attached;
    bool help, version, list_options;
    bool all, json, tree, threads, no_start, native, subprocesses;
    uint64_t batch, limit, width, max_loss;
    uint64_t delay, timeout; /* ns */
    bool memfd;
    const char *sort, *method;
    struct list match, exclude;
    const char *operand; /* NULL: none */
};

static inline uint64_t setting_or(uint64_t value, uint64_t otherwise) { return value == UNSET ? otherwise : value; }

#endif
