/* Formats: what a profile and other finds can be written as; one row each. An option of a format's name chooses it. */
#ifndef TSCAP_FORMAT_H
#define TSCAP_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "export.h"

struct capture;
struct column;
struct settings;

/* What is written, and what `what` points to. */
enum format_of {
    FORMAT_PROFILE,   /* struct capture */
    FORMAT_INTERVAL,  /* struct moment: see report.h */
    FORMAT_PROCESSES, /* struct subjects */
    FORMAT_STACKS,    /* struct stack_report */
    FORMAT_PYTHONS,   /* struct pythons */
    FORMAT_STATUS,    /* struct status_reports */
    FORMAT_DIFF,      /* struct sides, which others write */
    FORMAT_TRACKS,    /* struct track_report */
};

/* Options that a format heeds: bits, by the row in format_options. Given with another one they are a mistake. */
enum { FORMAT_SORT = 1, FORMAT_LIMIT = 2, FORMAT_WIDTH = 4, FORMAT_TREE = 8, FORMAT_NO_TREES = 16, FORMAT_FLAT = 32, FORMAT_METRIC = 64, FORMAT_INVERT = 128,
       FORMAT_COLUMNS = 256, FORMAT_FILTER = 512, FORMAT_MIN_SHARE = 1024 };
enum { FORMAT_CALLS = 1 << 20 }; /* calls are a metric of it, too */

struct format {
    enum format_of of;
    const char *title;  /* for messages */
    const char *option; /* that chooses it; NULL: the format that needs none */
    size_t offset;      /* of the option, in struct settings */
    bool (*chosen)(const void *field);
    unsigned accepts;   /* bit mask */
    bool (*write)(const void *what, const struct settings *s); /* to stdout; false: no memory, it is not whole. NULL: others draw it, or
                                                                * it is as a file */
    const char *name; /* for --format; NULL: that cannot choose it */
    bool (*save)(const struct capture *c, const struct settings *s, FILE *out); /* how a file is made of it, or */
    export_writer *export;                                                      /* how that is */
    bool binary;
    const char *opens; /* what reads such a file; NULL: none is made */
    const struct column *columns; /* of its table, which --columns and --sort speak of; NULL: it has none */
    unsigned table;
    const char *sort; /* what its rows are sorted by where --sort does not say */
};
extern const struct format formats[];
extern const size_t format_count;

/* Do --sort, --columns, --filter and --by say what can be? False after a message, or after the list that "help" asks for: then `*code`
 * is the exit code. */
bool format_check_table(const struct format *f, const struct settings *s, int *code);

/* Does this capture have what the format shows of it? EXIT_OK, or an exit code after a message. */
int format_check_capture(const struct format *f, const struct capture *c, const struct settings *s);

/* The options that only some formats heed, the first for bit 0. */
struct format_option {
    const char *name;
    size_t offset; /* in struct settings */
    bool (*given)(const void *field);
    unsigned excludes; /* bits of others */
};
extern const struct format_option format_options[];
extern const size_t format_option_count;

/* By its name; NULL: none. */
const struct format *format_named(enum format_of of, const char *name);

/* A file of a format that has `opens`. False: no memory, it is not whole. */
bool format_save(const struct format *f, const struct capture *c, const struct settings *s, FILE *out);

/* The one that the options choose; NULL: more than one, or --format names none. */
const struct format *format_choose(enum format_of of, const struct settings *s);

/* The same, where --format names one if it is given; and every option that is given is one that it heeds. NULL after a message. */
const struct format *format_check(enum format_of of, const struct settings *s);

#endif
