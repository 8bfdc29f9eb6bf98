/* Commands: one row each, and a file (cmd_*.c) for those that are alike. */
#ifndef TSCAP_COMMAND_H
#define TSCAP_COMMAND_H

#include <stddef.h>

struct settings;

enum command_id {
    COMMAND_PS = 1 << 0,
    COMMAND_START = 1 << 1,
    COMMAND_STOP = 1 << 2,
    COMMAND_RESET = 1 << 3,
    COMMAND_STATUS = 1 << 4,
    COMMAND_DUMP = 1 << 5,
    COMMAND_TOP = 1 << 6,
    COMMAND_GC = 1 << 7,
    COMMAND_HELP = 1 << 8,
    COMMAND_ATTACH = 1 << 9,
    COMMAND_DETACH = 1 << 10,
    COMMAND_DOCTOR = 1 << 11,
    COMMAND_STACK = 1 << 12,
    COMMAND_RECORD = 1 << 13,
    COMMAND_SAVE = 1 << 14,
    COMMAND_CONVERT = 1 << 15,
    COMMAND_RUN = 1 << 16,
    COMMAND_DIFF = 1 << 17,
    COMMAND_TRACKS = 1 << 18,
    COMMAND_ALL = (1 << 19) - 1, /* each of them */
    COMMAND_NONE = 1 << 19       /* tscap itself, before a command */
};

struct command {
    enum command_id id;
    const char *name;
    const char *invocation; /* what to type before its options */
    int (*run)(const struct settings *s); /* an exit code; errors have been printed. NULL: it explains the table itself */
    const char *operand;                  /* as in the help; NULL: none */
    unsigned operands_least, operands_most;
    const char *summary;
    const char *details; /* a paragraph for --help */
};
extern const struct command commands[];
extern const size_t command_count;
extern const struct command command_none;

/* By name or by an unambiguous beginning of it. NULL after a message. */
const struct command *command_find(const char *name);

int cmd_ps(const struct settings *s);
int cmd_start(const struct settings *s);
int cmd_stop(const struct settings *s);
int cmd_reset(const struct settings *s);
int cmd_status(const struct settings *s);
int cmd_dump(const struct settings *s);
int cmd_convert(const struct settings *s);
int cmd_diff(const struct settings *s);
int cmd_top(const struct settings *s);
int cmd_record(const struct settings *s);
int cmd_save(const struct settings *s);
int cmd_tracks(const struct settings *s);
int cmd_stack(const struct settings *s);
int cmd_gc(const struct settings *s);
int cmd_attach(const struct settings *s);
int cmd_detach(const struct settings *s);
int cmd_run(const struct settings *s);
int cmd_doctor(const struct settings *s);

#endif
