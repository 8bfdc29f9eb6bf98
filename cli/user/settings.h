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
    bool run; /* top: the operand is a command to be started */
    bool attach, dry_run, builtins, while_attached, keep;
    bool help, version, list_options;
    bool all, json, markdown, tree, threads, python, wait, no_start, native, subprocesses, flat, no_trees;
    uint64_t batch, limit, width, max_loss;
    uint64_t delay, timeout; /* ns */
    bool memfd;
    bool force, redact;
    uint64_t duration;   /* ns */
    uint64_t fail_over;  /* millionths */
    const char *sort, *method, *consumer;
    const char *format, *metric, *output, *program_output;
    bool invert, digest;
    const char *columns, *by, *filter, *callers, *callees;
    uint64_t min_share; /* millionths */
    struct list match, exclude;
    struct list enable, disable;
    const char *operand; /* NULL: none */
    char *const *words;  /* all operands, ended by NULL */
    uint64_t words_before; /* of them, before a `--`; UNSET: there is none */
};

static inline uint64_t setting_or(uint64_t value, uint64_t otherwise) { return value == UNSET ? otherwise : value; }

#endif
