/* Options: one row each. The row drives getopt_long, --help, --list-options and the test of the manual page. */
#ifndef TSCAP_OPTION_H
#define TSCAP_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct settings;

enum option_type { OPTION_FLAG, OPTION_COUNT, OPTION_TIME, OPTION_PERCENT, OPTION_TEXT, OPTION_LIST };

struct option_row {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* as in the help; NULL: a flag */
    enum option_type type;
    size_t offset;        /* in struct settings: see settings.h */
    uint64_t least, most; /* of counts, times (ns) and percents (millionths) */
    unsigned commands;    /* bit mask of enum command_id */
    bool hidden;
    const char *help;
};
extern const struct option_row options[];
extern const size_t option_count;

static inline bool option_fits(const struct option_row *o, unsigned command) { return (o->commands & command) != 0; }

/* Reads the command line of `c`, whose name is argv[0], into fresh settings. Operands may stand between options, except
 * for tscap itself, where the first one is the command: its index goes to `rest`. EXIT_OK, or EXIT_USAGE after a message. */
int option_parse(const struct command *c, int argc, char **argv, struct settings *s, int *rest);

#endif
