#include "option.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "message.h"
#include "settings.h"
#include "units.h"

#define AT(field) offsetof(struct settings, field)
#define SECOND 1000000000ull
#define DAY (86400 * SECOND)
#define ORDERS (COMMAND_START | COMMAND_STOP | COMMAND_RESET | COMMAND_STATUS)
#define TABLES (COMMAND_DUMP | COMMAND_TOP)

const struct option_row options[] = {
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_PS, false, "also those that have ended and left a segment"},
    {"json", 'j', NULL, OPTION_FLAG, AT(json), 0, 0, COMMAND_PS | COMMAND_DUMP | COMMAND_STACK, false, "JSON instead of a table"},
    {"tree", 't', NULL, OPTION_FLAG, AT(tree), 0, 0, COMMAND_DUMP, false, "call trees, one per thread"},
    {"tree", 't', NULL, OPTION_FLAG, AT(tree), 0, 0, COMMAND_PS, false, "each process below the one it descends from"},
    {"subprocesses", 's', NULL, OPTION_FLAG, AT(subprocesses), 0, 0, ORDERS | TABLES, false, "all processes that descend from it, too"},
    {"threads", 0, NULL, OPTION_FLAG, AT(threads), 0, 0, COMMAND_DUMP, false, "a table of the threads"},
    {"batch", 'b', "N", OPTION_COUNT, AT(batch), 1, UINT32_MAX, COMMAND_TOP, false, "print N tables and end, instead of a full screen"},
    {"no-start", 0, NULL, OPTION_FLAG, AT(no_start), 0, 0, COMMAND_TOP, false, "only look: do not begin to record"},
    {"attach", 0, NULL, OPTION_FLAG, AT(attach), 0, 0, COMMAND_TOP, false, "attach to it first, and detach on leaving"},
    {"match", 'm', "GLOB", OPTION_LIST, AT(match), 0, 0, COMMAND_TOP, false, "with --attach: functions named so; repeatable"},
    {"exclude", 'x', "GLOB", OPTION_LIST, AT(exclude), 0, 0, COMMAND_TOP, false, "with --attach: but not functions named so; repeatable"},
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_TOP, false, "with --attach: of the standard library and of what is installed, too"},
    {"builtins", 0, NULL, OPTION_FLAG, AT(builtins), 0, 0, COMMAND_TOP, false, "with --attach: C functions that Python code calls, too"},
    {"method", 0, "METHOD", OPTION_TEXT, AT(method), 0, 0, COMMAND_TOP, false, "with --attach: auto (default), pep768 or ptrace"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, COMMAND_TOP, false,
     "with --attach: seconds to wait for the process (default 10)"},
    {"delay", 'd', "SECS", OPTION_TIME, AT(delay), SECOND / 100, DAY, COMMAND_TOP, false,
     "seconds between two looks (default 1)"},
    {"sort", 'o', "COLUMN", OPTION_TEXT, AT(sort), 0, 0, TABLES, false, "sort by COLUMN (default exclusive); 'help' lists them"},
    {"limit", 'n', "N", OPTION_COUNT, AT(limit), 1, UINT32_MAX, TABLES, false, "at most N rows (default: dump all, top 20)"},
    {"width", 'w', "N", OPTION_COUNT, AT(width), 40, 10000, TABLES, false,
     "columns to fit into (default: the terminal's, else no limit)"},
    {"max-loss", 0, "N", OPTION_COUNT, AT(max_loss), 0, UINT64_MAX - 1, TABLES, false,
     "exit with 6 only if more than N calls were lost (default 0)"},
    {"match", 'm', "GLOB", OPTION_LIST, AT(match), 0, 0, COMMAND_ATTACH, false,
     "functions named so, as 'module:Class.*' (default: those not of the standard library or installed); repeatable"},
    {"exclude", 'x', "GLOB", OPTION_LIST, AT(exclude), 0, 0, COMMAND_ATTACH, false, "but not functions named so; repeatable"},
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_ATTACH, false, "functions of the standard library and of what is installed, too"},
    {"builtins", 0, NULL, OPTION_FLAG, AT(builtins), 0, 0, COMMAND_ATTACH, false, "C functions that Python code calls, too, such as builtins.len"},
    {"no-start", 0, NULL, OPTION_FLAG, AT(no_start), 0, 0, COMMAND_ATTACH, false, "only prepare: do not begin to record"},
    {"while-attached", 0, NULL, OPTION_FLAG, AT(while_attached), 0, 0, COMMAND_ATTACH, false,
     "stay, and detach when this command ends, however it does"},
    {"dry-run", 0, NULL, OPTION_FLAG, AT(dry_run), 0, 0, COMMAND_ATTACH, false, "say what would be done, and do nothing"},
    {"method", 0, "METHOD", OPTION_TEXT, AT(method), 0, 0, COMMAND_ATTACH, false,
     "auto (default), pep768: a script that its threads run (3.14 on), or ptrace: through one of its threads"},
    {"memfd", 0, NULL, OPTION_FLAG, AT(memfd), 0, 0, COMMAND_ATTACH, false,
     "bring timestamp_capture in memory, to a process that cannot see it; goes with ptrace"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, COMMAND_ATTACH | COMMAND_DETACH, false,
     "seconds to wait for the process (default 10)"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, ORDERS, false,
     "seconds to wait for the process (default 10; status 1)"},
    {"native", 0, NULL, OPTION_FLAG, AT(native), 0, 0, COMMAND_STACK, false, "C functions too; stops all threads for a moment"},
    {"help", 'h', NULL, OPTION_FLAG, AT(help), 0, 0, COMMAND_ALL | COMMAND_NONE, false, "this text"},
    {"version", 'V', NULL, OPTION_FLAG, AT(version), 0, 0, COMMAND_NONE, false, "the version"},
    {"list-options", 0, NULL, OPTION_FLAG, AT(list_options), 0, 0, COMMAND_NONE, true, "options of a command, for completion"},
};
const size_t option_count = sizeof options / sizeof *options;

#define OPTIONS_MAX 48
#define LONG_BASE 256 /* getopt's value of row i */
_Static_assert(sizeof options / sizeof *options < OPTIONS_MAX, "grammar has room for each");

/* ---- what getopt_long wants to know ---- */

struct grammar {
    char letters[2 + 2 * OPTIONS_MAX + 1];
    struct option names[OPTIONS_MAX];
};

static void make_grammar(struct grammar *g, const struct command *c)
{
    char *letter = g->letters;
    struct option *name = g->names;
    if (c->id == COMMAND_NONE)
        *letter++ = '+'; /* what follows the command's name is the command's */
    *letter++ = ':';
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *o = &options[i];
        if (!option_fits(o, c->id))
            continue;
        *name++ = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, LONG_BASE + (int)i};
        if (o->letter)
            *letter++ = o->letter;
        if (o->letter && o->argument)
            *letter++ = ':';
    }
    *letter = '\0';
    *name = (struct option){0};
}

static const struct option_row *row_of(int value, unsigned command)
{
    if (value >= LONG_BASE)
        return &options[value - LONG_BASE];
    for (size_t i = 0; i < option_count; i++)
        if (options[i].letter == value && option_fits(&options[i], command))
            return &options[i];
    return NULL;
}

/* ---- values ---- */

static void write_bound(const struct option_row *o, uint64_t bound, char *buffer, size_t size)
{
    if (o->type == OPTION_TIME)
        units_write_time(buffer, size, bound);
    else
        snprintf(buffer, size, "%llu", (unsigned long long)bound);
}

static int bad_value(const struct command *c, const struct option_row *o, const char *text)
{
    char least[UNITS_TEXT], most[UNITS_TEXT];
    write_bound(o, o->least, least, sizeof least);
    write_bound(o, o->most, most, sizeof most);
    const char *kind = o->type == OPTION_TIME ? "a time, in seconds or with a unit (ms, s, m)" : "a whole number";
    return fail(EXIT_USAGE,
                "--%s: '%s' does not fit\n"
                "it takes %s, %s to %s\n"
                "%s --help",
                o->name, text, kind, least, most, c->invocation);
}

static int add_value(const struct command *c, const struct option_row *o, const char *text, struct list *list)
{
    if (list->count == LIST_MAX)
        return fail(EXIT_USAGE,
                    "--%s is given too often\n"
                    "%d times at most\n"
                    "%s --help",
                    o->name, LIST_MAX, c->invocation);
    list->text[list->count++] = text;
    return EXIT_OK;
}

static int set_value(const struct command *c, const struct option_row *o, char *text, struct settings *s)
{
    void *field = (char *)s + o->offset;
    uint64_t value = 0;
    if (o->type == OPTION_FLAG)
        *(bool *)field = true;
    else if (o->type == OPTION_TEXT)
        *(const char **)field = text;
    else if (o->type == OPTION_LIST)
        return add_value(c, o, text, field);
    else {
        bool read = o->type == OPTION_TIME ? units_read_time(text, &value) : units_read_count(text, &value);
        if (!read || value < o->least || value > o->most)
            return bad_value(c, o, text);
        *(uint64_t *)field = value;
    }
    return EXIT_OK;
}

/* ---- command lines ---- */

static void clear_settings(struct settings *s, const struct command *c)
{
    *s = (struct settings){.command = c->name};
    for (size_t i = 0; i < option_count; i++)
        if (options[i].type == OPTION_COUNT || options[i].type == OPTION_TIME)
            *(uint64_t *)((char *)s + options[i].offset) = UNSET;
}

/* The word that getopt stumbled over: optopt is a letter, a row's value or 0. */
static const char *bad_word(char **argv, char *letter)
{
    letter[1] = (char)optopt;
    return optopt && optopt < LONG_BASE ? letter : argv[optind - 1];
}

static int bad_option(const struct command *c, char **argv, bool lacks_value)
{
    char letter[] = "-?";
    const char *what = lacks_value ? "needs a value" : "is not an option here";
    const char *why = lacks_value ? "nothing follows it" : "it is unknown, ambiguous, or has a value that it does not take";
    return fail(EXIT_USAGE,
                "%s %s\n"
                "%s\n"
                "%s --help",
                bad_word(argv, letter), what, why, c->invocation);
}

static int wrong_operands(const struct command *c, unsigned count, char **operand)
{
    if (count < c->operands_least)
        return fail(EXIT_USAGE,
                    "%s: %s is missing\n"
                    "it may be a number, 'auto', or a part of the command line\n"
                    "tscap ps",
                    c->name, c->operand);
    const char *most = c->operands_most ? "one operand" : "no operands";
    return fail(EXIT_USAGE,
                "%s: '%s' is too much\n"
                "it takes %s\n"
                "%s --help",
                c->name, operand[c->operands_most], most, c->invocation);
}

/* Asks for a text instead of work: needs no operand. */
static bool only_asks(const struct settings *s) { return s->help || (s->sort && strcmp(s->sort, "help") == 0); }

static int take_operands(const struct command *c, unsigned count, char **operand, struct settings *s)
{
    s->operand = count ? operand[0] : NULL;
    bool right = count >= c->operands_least && count <= c->operands_most;
    return only_asks(s) || right ? EXIT_OK : wrong_operands(c, count, operand);
}

int option_parse(const struct command *c, int argc, char **argv, struct settings *s, int *rest)
{
    struct grammar grammar;
    make_grammar(&grammar, c);
    clear_settings(s, c);
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    for (int value; (value = getopt_long(argc, argv, grammar.letters, grammar.names, NULL)) >= 0;) {
        const struct option_row *o = value == '?' || value == ':' ? NULL : row_of(value, c->id);
        int r = o ? set_value(c, o, optarg, s) : bad_option(c, argv, value == ':');
        if (r != EXIT_OK)
            return r;
    }
    *rest = optind;
    return c->id == COMMAND_NONE ? EXIT_OK : take_operands(c, (unsigned)(argc - optind), argv + optind, s);
}
