/* Formats: what a profile and other finds can be written as; one row each. An option of a format's name chooses it. */
#ifndef TSCAP_FORMAT_H
#define TSCAP_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

struct settings;

/* What is written, and what `what` points to. */
enum format_of {
    FORMAT_PROFILE,   /* struct capture */
    FORMAT_INTERVAL,  /* struct moment: see report.h */
    FORMAT_PROCESSES, /* struct subjects */
    FORMAT_STACKS,    /* struct stack_report */
};

/* Options that a format heeds; given with another one they are a mistake. */
enum { FORMAT_SORT = 1, FORMAT_LIMIT = 2, FORMAT_WIDTH = 4, FORMAT_TREE = 8 };

struct format {
    enum format_of of;
    const char *option; /* its name; NULL: the format that needs none */
    size_t flag;        /* the option's, in struct settings */
    unsigned accepts;   /* bit mask */
    bool (*write)(const void *what, const struct settings *s); /* to stdout; false: no memory, it is not whole */
};
extern const struct format formats[];
extern const size_t format_count;

/* The one that the options choose; NULL: more than one. */
const struct format *format_choose(enum format_of of, const struct settings *s);

#endif
