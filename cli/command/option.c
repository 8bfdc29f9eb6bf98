#include "option.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "message.h"
#include "settings.h"
#include "units.h"

#define AT(field) offsetof(struct settings, field)
#define SECOND 1000000000ull
#define DAY (86400 * SECOND)
#define SHARE_MAX 1000000u
#define ORDERS (COMMAND_START | COMMAND_STOP | COMMAND_RESET | COMMAND_STATUS)
#define TABLES (COMMAND_DUMP | COMMAND_TOP)
#define FILES (COMMAND_RECORD | COMMAND_SAVE)
#define FORMATS (COMMAND_DUMP | COMMAND_CONVERT)

const struct option_row options[] = {
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_PS, false, "also those that have ended and left a segment"},
    {"python", 'p', NULL, OPTION_FLAG, AT(python), 0, 0, COMMAND_PS, false, "all Python processes instead: what could be attached to"},
    {"json", 'j', NULL, OPTION_FLAG, AT(json), 0, 0, COMMAND_PS | COMMAND_STATUS | COMMAND_DUMP | COMMAND_TRACKS | COMMAND_STACK | COMMAND_DIFF, false,
     "JSON instead of a table"},
    {"digest", 0, NULL, OPTION_FLAG, AT(digest), 0, 0, COMMAND_DUMP, false, "what matters most as JSON of at most 8 KiB, for scripts and assistants"},
    {"tree", 't', NULL, OPTION_FLAG, AT(tree), 0, 0, COMMAND_DUMP, false, "call trees, one per thread"},
    {"no-trees", 0, NULL, OPTION_FLAG, AT(no_trees), 0, 0, COMMAND_DUMP, false, "with --json: without the calling contexts of each thread"},
    {"tree", 't', NULL, OPTION_FLAG, AT(tree), 0, 0, COMMAND_DIFF, false, "the call tree: each path, of all threads together"},
    {"markdown", 'm', NULL, OPTION_FLAG, AT(markdown), 0, 0, COMMAND_DIFF, false, "Markdown, for a pull request"},
    {"no-trees", 0, NULL, OPTION_FLAG, AT(no_trees), 0, 0, COMMAND_DIFF, false, "with --json: without the paths"},
    {"flat", 0, NULL, OPTION_FLAG, AT(flat), 0, 0, COMMAND_DUMP, false, "with --json: lists of nodes with the index of the parent, not trees"},
    {"tree", 't', NULL, OPTION_FLAG, AT(tree), 0, 0, COMMAND_PS, false, "each process below the one it descends from"},
    {"subprocesses", 's', NULL, OPTION_FLAG, AT(subprocesses), 0, 0, ORDERS | TABLES | FILES | COMMAND_CONVERT, false,
     "all processes that descend from it, too"},
    {"format", 'f', "FORMAT", OPTION_TEXT, AT(format), 0, 0, FORMATS, false, "for another program: see `tscap help convert`"},
    {"metric", 0, "METRIC", OPTION_TEXT, AT(metric), 0, 0, FORMATS, false,
     "with a --format that shows one number: wall (default), cpu (ns) or calls"},
    {"invert", 0, NULL, OPTION_FLAG, AT(invert), 0, 0, FORMATS, false, "with --format svg: each function above its callers"},
    {"format", 'f', "FORMAT", OPTION_TEXT, AT(format), 0, 0, COMMAND_DIFF, false, "table (default), tree, json, markdown, or svg: a flame graph in colours"},
    {"metric", 0, "METRIC", OPTION_TEXT, AT(metric), 0, 0, COMMAND_DIFF, false, "which time of a function's own: wall (default) or cpu"},
    {"fail-over", 0, "SHARE", OPTION_PERCENT, AT(fail_over), 0, 1000000000, COMMAND_DIFF, false,
     "exit with 7 if a function's time per call has grown by more: 10%"},
    {"output", 'o', "FILE", OPTION_TEXT, AT(output), 0, 0, COMMAND_CONVERT | COMMAND_DIFF, false, "write to FILE ('-', the default: standard output)"},
    {"force", 0, NULL, OPTION_FLAG, AT(force), 0, 0, COMMAND_CONVERT | COMMAND_DIFF, false, "replace FILE if it is there"},
    {"threads", 0, NULL, OPTION_FLAG, AT(threads), 0, 0, COMMAND_DUMP, false, "a table of the threads"},
    {"batch", 'b', "N", OPTION_COUNT, AT(batch), 1, UINT32_MAX, COMMAND_TOP, false, "print N tables and end, instead of a full screen"},
    {"no-start", 0, NULL, OPTION_FLAG, AT(no_start), 0, 0, COMMAND_TOP, false, "only look: do not begin to record"},
    {"attach", 0, NULL, OPTION_FLAG, AT(attach), 0, 0, COMMAND_TOP, false, "attach to it first, and detach on leaving"},
    {"run", 0, NULL, OPTION_FLAG, AT(run), 0, 0, COMMAND_TOP, false, "start a program, `-- COMMAND`, and record it from its first line"},
    {"output", 0, "FILE", OPTION_TEXT, AT(output), 0, 0, COMMAND_TOP, false, "with --run: a capture of it all"},
    {"force", 0, NULL, OPTION_FLAG, AT(force), 0, 0, COMMAND_TOP, false, "with --run: write over a file that exists"},
    {"redact", 0, NULL, OPTION_FLAG, AT(redact), 0, 0, COMMAND_TOP, false, "with --run: leave out command lines and the folders of source files"},
    {"program-output", 0, "FILE", OPTION_TEXT, AT(program_output), 0, 0, COMMAND_TOP, false,
     "with --run: for what the program writes (default ./NAME-PID.log)"},
    {"match", 'm', "GLOB", OPTION_LIST, AT(match), 0, 0, COMMAND_TOP, false, "with --attach or --run: functions named so; repeatable"},
    {"exclude", 'x', "GLOB", OPTION_LIST, AT(exclude), 0, 0, COMMAND_TOP, false, "with --attach or --run: but not functions named so; repeatable"},
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_TOP, false, "with --attach or --run: of the standard library and of what is installed, too"},
    {"builtins", 0, NULL, OPTION_FLAG, AT(builtins), 0, 0, COMMAND_TOP, false, "with --attach or --run: C functions that Python code calls, too"},
    {"method", 0, "METHOD", OPTION_TEXT, AT(method), 0, 0, COMMAND_TOP, false, "with --attach or --run: auto (default), pep768 or ptrace"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, COMMAND_TOP, false,
     "with --attach or --run: seconds to wait for the process (default 10)"},
    {"delay", 'd', "SECS", OPTION_TIME, AT(delay), SECOND / 100, DAY, COMMAND_TOP, false,
     "seconds between two looks (default 1)"},
    {"consumer", 0, "CONSUMER", OPTION_TEXT, AT(consumer), 0, 0, FORMATS | COMMAND_TOP | COMMAND_SAVE, false,
     "calls that CONSUMER wanted: a number, name or kind of tscap status; 'all': everybody's"},
    {"sort", 'o', "COLUMN", OPTION_TEXT, AT(sort), 0, 0, TABLES, false, "sort by COLUMN (default exclusive); 'help' lists them"},
    {"columns", 'c', "COLUMNS", OPTION_TEXT, AT(columns), 0, 0, TABLES, false, "only these columns: names with commas between them; 'help' lists them"},
    {"filter", 0, "REGEX", OPTION_TEXT, AT(filter), 0, 0, COMMAND_DUMP, false, "only names that match REGEX; trees: paths that lead to them"},
    {"min-share", 0, "PERCENT", OPTION_PERCENT, AT(min_share), 0, SHARE_MAX, COMMAND_DUMP, false,
     "with --tree: paths below it become one row (default 0.1)"},
    {"by", 0, "GROUP", OPTION_TEXT, AT(by), 0, 0, COMMAND_DUMP, false, "functions summed up by module, file or prefix"},
    {"callers", 0, "NAME", OPTION_TEXT, AT(callers), 0, 0, COMMAND_DUMP, false, "who called the function NAME"},
    {"callees", 0, "NAME", OPTION_TEXT, AT(callees), 0, 0, COMMAND_DUMP, false, "whom the function NAME called"},
    {"limit", 'n', "N", OPTION_COUNT, AT(limit), 1, UINT32_MAX, TABLES, false, "at most N rows (default: dump all, top 20)"},
    {"limit", 'n', "N", OPTION_COUNT, AT(limit), 1, UINT32_MAX, COMMAND_DIFF, false, "at most N rows (default: all; Markdown 50)"},
    {"width", 'w', "N", OPTION_COUNT, AT(width), 40, 10000, TABLES | COMMAND_DIFF, false,
     "columns to fit into (default: the terminal's, else no limit)"},
    {"max-loss", 0, "N", OPTION_COUNT, AT(max_loss), 0, UINT64_MAX - 1, TABLES | FILES | COMMAND_CONVERT | COMMAND_DIFF, false,
     "exit with 6 only if more than N calls were lost (default 0)"},
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_SAVE, false, "each of your processes, into a file of its own"},
    {"duration", 'd', "SECS", OPTION_TIME, AT(duration), SECOND / 100, 366 * DAY, COMMAND_RECORD, false,
     "seconds to record for (default: until the process ends, or ^C)"},
    {"output", 'o', "FILE", OPTION_TEXT, AT(output), 0, 0, FILES | COMMAND_RUN, false, "the file (default ./NAME-PID.tscap); - is stdout"},
    {"force", 0, NULL, OPTION_FLAG, AT(force), 0, 0, FILES | COMMAND_RUN, false, "write over a file that exists"},
    {"redact", 0, NULL, OPTION_FLAG, AT(redact), 0, 0, FILES | COMMAND_RUN, false, "leave out command lines and the folders of source files"},
    {"match", 'm', "GLOB", OPTION_LIST, AT(match), 0, 0, COMMAND_RECORD, false, "attach, and record functions named so; repeatable"},
    {"exclude", 'x', "GLOB", OPTION_LIST, AT(exclude), 0, 0, COMMAND_RECORD, false, "attach, but not functions named so; repeatable"},
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_RECORD, false, "attach: of the standard library and of what is installed, too"},
    {"builtins", 0, NULL, OPTION_FLAG, AT(builtins), 0, 0, COMMAND_RECORD, false, "attach: C functions that Python code calls, too"},
    {"method", 0, "METHOD", OPTION_TEXT, AT(method), 0, 0, COMMAND_RECORD, false, "to attach by: auto (default), pep768 or ptrace"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, COMMAND_RECORD, false,
     "to attach: seconds to wait for the process (default 10)"},
    {"match", 'm', "GLOB", OPTION_LIST, AT(match), 0, 0, COMMAND_ATTACH | COMMAND_RUN, false,
     "functions named so, as 'module:Class.*' (default: those not of the standard library or installed); repeatable"},
    {"exclude", 'x', "GLOB", OPTION_LIST, AT(exclude), 0, 0, COMMAND_ATTACH | COMMAND_RUN, false, "but not functions named so; repeatable"},
    {"all", 'a', NULL, OPTION_FLAG, AT(all), 0, 0, COMMAND_ATTACH | COMMAND_RUN, false, "functions of the standard library and of what is installed, too"},
    {"builtins", 0, NULL, OPTION_FLAG, AT(builtins), 0, 0, COMMAND_ATTACH | COMMAND_RUN, false, "C functions that Python code calls, too, such as builtins.len"},
    {"no-start", 0, NULL, OPTION_FLAG, AT(no_start), 0, 0, COMMAND_ATTACH, false, "only prepare: do not begin to record"},
    {"while-attached", 0, NULL, OPTION_FLAG, AT(while_attached), 0, 0, COMMAND_ATTACH, false,
     "stay, and detach when this command ends, however it does"},
    {"keep", 0, NULL, OPTION_FLAG, AT(keep), 0, 0, COMMAND_ATTACH, false, "what is recorded stays when the process ends, or is detached from"},
    {"wait", 0, NULL, OPTION_FLAG, AT(wait), 0, 0, COMMAND_ATTACH, false, "to the next process that begins and has PID in its command line"},
    {"dry-run", 0, NULL, OPTION_FLAG, AT(dry_run), 0, 0, COMMAND_ATTACH, false, "say what would be done, and do nothing"},
    {"method", 0, "METHOD", OPTION_TEXT, AT(method), 0, 0, COMMAND_ATTACH, false,
     "auto (default), pep768: a script that its threads run (3.14 on), or ptrace: through one of its threads"},
    {"memfd", 0, NULL, OPTION_FLAG, AT(memfd), 0, 0, COMMAND_ATTACH, false,
     "bring timestamp_capture in memory, to a process that cannot see it; goes with ptrace"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, COMMAND_ATTACH | COMMAND_DETACH, false,
     "seconds to wait for the process (default 10)"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, ORDERS, false,
     "seconds to wait for the process (default 10; status 1)"},
    {"subprocesses", 's', NULL, OPTION_FLAG, AT(subprocesses), 0, 0, COMMAND_ATTACH | COMMAND_DETACH, false,
     "all Python processes that descend from it, and those that they fork, too"},
    {"subprocesses", 's', NULL, OPTION_FLAG, AT(subprocesses), 0, 0, COMMAND_RUN, false, "all Python processes that it begins, not only the first"},
    {"limit", 'n', "N", OPTION_COUNT, AT(limit), 1, UINT32_MAX, COMMAND_RUN, false, "at most N rows in the table at the end (default 10)"},
    {"enable", 0, "TRACK", OPTION_LIST, AT(enable), 0, 0, COMMAND_TRACKS, false, "switch PROFILER:TRACK on, each a number or a name; repeatable"},
    {"disable", 0, "TRACK", OPTION_LIST, AT(disable), 0, 0, COMMAND_TRACKS, false, "switch it off; repeatable"},
    {"timeout", 0, "SECS", OPTION_TIME, AT(timeout), SECOND / 1000, DAY, COMMAND_TRACKS, false,
     "with these: seconds to wait for the process (default 10)"},
    {"native", 0, NULL, OPTION_FLAG, AT(native), 0, 0, COMMAND_STACK, false, "C functions too; stops all threads for a moment"},
    {"help", 'h', NULL, OPTION_FLAG, AT(help), 0, 0, COMMAND_ALL | COMMAND_NONE, false, "this text"},
    {"version", 'V', NULL, OPTION_FLAG, AT(version), 0, 0, COMMAND_NONE, false, "the version"},
    {"list-options", 0, NULL, OPTION_FLAG, AT(list_options), 0, 0, COMMAND_NONE, true, "options of a command, for completion"},
};
const size_t option_count = sizeof options / sizeof *options;

#define OPTIONS_MAX 100
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
    if (c->id == COMMAND_NONE || c->id == COMMAND_RUN)
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
    else if (o->type == OPTION_PERCENT)
        snprintf(buffer, size, "%g%%", (double)bound / 10000);
    else
        snprintf(buffer, size, "%llu", (unsigned long long)bound);
}

static int bad_value(const struct command *c, const struct option_row *o, const char *text)
{
    char least[UNITS_TEXT], most[UNITS_TEXT];
    write_bound(o, o->least, least, sizeof least);
    write_bound(o, o->most, most, sizeof most);
    static const char *const kinds[] = {
        [OPTION_COUNT] = "a whole number", [OPTION_TIME] = "a time, in seconds or with a unit (ms, s, m)", [OPTION_PERCENT] = "a share, as 10% or 2.5%"};
    return fail(EXIT_USAGE,
                "--%s: '%s' does not fit\n"
                "it takes %s, %s to %s\n"
                "%s --help",
                o->name, text, kinds[o->type], least, most, c->invocation);
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

static bool read_value(const struct option_row *o, const char *text, uint64_t *value)
{
    if (o->type == OPTION_TIME)
        return units_read_time(text, value);
    return o->type == OPTION_PERCENT ? units_read_percent(text, value) : units_read_count(text, value);
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
        if (!read_value(o, text, &value) || value < o->least || value > o->most)
            return bad_value(c, o, text);
        *(uint64_t *)field = value;
    }
    return EXIT_OK;
}

/* ---- command lines ---- */

static void clear_settings(struct settings *s, const struct command *c)
{
    *s = (struct settings){.command = c->name, .words_before = UNSET};
    for (size_t i = 0; i < option_count; i++)
        if (options[i].type == OPTION_COUNT || options[i].type == OPTION_TIME || options[i].type == OPTION_PERCENT)
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

static int wrong_operands(const struct command *c, unsigned count, char **operand, const struct settings *s)
{
    if (c->id == COMMAND_RUN || s->run)
        return fail(EXIT_USAGE,
                    "%s: COMMAND is missing\n"
                    "it takes what is to be started, as you would type it%s\n"
                    "tscap %s -- python3 app.py",
                    s->run ? "top --run" : "run", s->run ? ", after --" : "", s->run ? "top --run" : "run");
    if (c->id == COMMAND_DIFF)
        return fail(EXIT_USAGE,
                    "diff: it takes two operands\n"
                    "what was recorded before a change, and what was recorded after it: captures, processes, segment files\n"
                    "tscap diff before.tscap after.tscap");
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
static bool only_asks(const struct settings *s)
{
    return s->help || (s->sort && strcmp(s->sort, "help") == 0) || (s->columns && strcmp(s->columns, "help") == 0);
}

static int take_operands(const struct command *c, unsigned count, char **operand, struct settings *s)
{
    s->operand = count ? operand[0] : NULL;
    s->words = operand;
    bool right = count >= c->operands_least && (s->run ? s->words_before == 0 : count <= c->operands_most);
    return only_asks(s) || right ? EXIT_OK : wrong_operands(c, count, operand, s);
}

/* The `--` that ends options. getopt() moves what stands before it, but not what stands behind. */
struct dashes {
    const char *word; /* NULL: there is none */
    unsigned behind;  /* words */
};

static struct dashes find_dashes(int from, int argc, char **argv)
{
    for (int i = from; i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            return (struct dashes){argv[i], (unsigned)(argc - i - 1)};
    return (struct dashes){NULL, 0};
}

/* Options may stand behind operands, whatever POSIXLY_CORRECT says, which getopt_long() reads when it starts. The environment
 * stays as it was: a program that `run` starts has it, too. */
static int next_option(int argc, char **argv, const struct grammar *grammar)
{
    char *strict = optind == 0 ? getenv("POSIXLY_CORRECT") : NULL, *kept = strict ? strdup(strict) : NULL;
    if (kept)
        unsetenv("POSIXLY_CORRECT");
    int value = getopt_long(argc, argv, grammar->letters, grammar->names, NULL);
    if (kept)
        setenv("POSIXLY_CORRECT", kept, 1);
    free(kept);
    return value;
}

/* Words are left at the end of argv, the first at optind; `dashes`: what stood between. */
static int read_options(const struct command *c, int argc, char **argv, struct settings *s, struct dashes *dashes)
{
    struct grammar grammar;
    make_grammar(&grammar, c);
    *dashes = find_dashes(1, argc, argv);
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    for (int value; (value = next_option(argc, argv, &grammar)) >= 0;) {
        const struct option_row *o = value == '?' || value == ':' ? NULL : row_of(value, c->id);
        int r = o ? set_value(c, o, optarg, s) : bad_option(c, argv, value == ':');
        if (r != EXIT_OK)
            return r;
        if (optarg && optarg == dashes->word) /* it is an option's value */
            *dashes = find_dashes(argc - (int)dashes->behind, argc, argv);
    }
    return EXIT_OK;
}

/* Where `--` stands between operands, options may stand behind it, too. Takes them out of the words; `*argc` goes along. */
static int read_behind(const struct command *c, int *argc, char **argv, unsigned behind, struct settings *s)
{
    struct dashes more;
    char **words = argv + *argc - behind, **tail = words - 1; /* getopt() passes over the first, which is the dashes */
    int r = read_options(c, (int)behind + 1, tail, s, &more);
    if (r != EXIT_OK)
        return r;
    if (more.word)
        return fail(EXIT_USAGE,
                    "%s: there is more than one --\n"
                    "it stands between the two sides\n"
                    "%s --help",
                    c->name, c->invocation);
    unsigned left = behind + 1 - (unsigned)optind;
    memmove(words, tail + optind, left * sizeof *words);
    words[left] = NULL;
    *argc -= (int)(behind - left);
    return EXIT_OK;
}

int option_parse(const struct command *c, int argc, char **argv, struct settings *s, int *rest)
{
    struct dashes dashes;
    clear_settings(s, c);
    int r = read_options(c, argc, argv, s, &dashes);
    int first = *rest = optind;
    if (r != EXIT_OK || c->id == COMMAND_NONE)
        return r;
    if (dashes.word)
        s->words_before = (uint64_t)(argc - first) - dashes.behind;
    if (dashes.word && c->id == COMMAND_DIFF)
        r = read_behind(c, &argc, argv, dashes.behind, s);
    return r == EXIT_OK ? take_operands(c, (unsigned)(argc - first), argv + first, s) : r;
}
