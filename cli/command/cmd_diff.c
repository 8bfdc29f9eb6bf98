#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "choice.h"
#include "command.h"
#include "conversion.h"
#include "format.h"
#include "message.h"
#include "operand.h"
#include "output.h"
#include "settings.h"
#include "sides.h"
#include "source.h"
#include "terminal.h"

#define NO_LIMIT UINT64_MAX
#define MARKDOWN_LIMIT 50 /* a comment of a pull request has 65,536 characters at most */

static int no_memory(void)
{
    return fail(EXIT_FAILED,
                "cannot compare\n"
                "out of memory\n"
                "fewer captures");
}

/* ---- the command line ---- */

static int unknown_format(const struct settings *s)
{
    char names[256];
    size_t used = 0;
    for (size_t i = 0; i < format_count && used < sizeof names; i++)
        if (formats[i].of == FORMAT_DIFF)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", formats[i].name);
    return fail(EXIT_USAGE,
                "diff: '%s' is not a format\n"
                "there are: %s\n"
                "tscap help diff",
                s->format, names);
}

static int check_metric(const struct settings *s, enum quantity *metric)
{
    enum export_metric of;
    bool known = conversion_metric(s->metric, &of) && of != EXPORT_CALLS;
    *metric = of == EXPORT_CPU ? QUANTITY_CPU : QUANTITY_EXCLUSIVE;
    if (known)
        return EXIT_OK;
    return fail(EXIT_USAGE,
                "diff: --metric %s is not a time\n"
                "there are: wall, cpu\n"
                "tscap help diff",
                s->metric);
}

static size_t count_words(char *const *word)
{
    size_t count = 0;
    while (word[count])
        count++;
    return count;
}

/* How many of the operands are A's. */
static int split(const struct settings *s, size_t *before, size_t *after)
{
    size_t all = count_words(s->words);
    *before = s->words_before == UNSET || (s->words_before == 0 && all == 2) ? 1 : (size_t)s->words_before;
    *after = all - *before;
    if (s->words_before == UNSET && all != 2)
        return fail(EXIT_USAGE,
                    "diff: %zu operands, and nothing says which were before and which after\n"
                    "-- stands between those of the two sides\n"
                    "tscap diff %s ... -- ... %s",
                    all, s->words[0], s->words[all - 1]);
    if (!*before || !*after)
        return fail(EXIT_USAGE,
                    "diff: there is nothing %s --\n"
                    "A stands before it, and B behind it\n"
                    "tscap diff before.tscap -- after.tscap",
                    *before ? "behind" : "before");
    if (*before > TALLY_CAPTURES || *after > TALLY_CAPTURES)
        return fail(EXIT_USAGE,
                    "diff: too many operands\n"
                    "%d on a side at most\n"
                    "fewer captures",
                    TALLY_CAPTURES);
    return EXIT_OK;
}

/* ---- the captures ---- */

static int lacks_cpu(const char *name)
{
    return fail(EXIT_FAILED,
                "%s: no CPU time was measured\n"
                "it was turned off where the program ran (TSCAP_CPU)\n"
                SAME_AGAIN " --metric wall",
                name);
}

/* What is missing from it is said once all are compared, as part of what is written; here only whether that is too much. */
static int check_loss(const struct capture *c, const struct settings *s)
{
    char text[MESSAGE_MAX];
    message_keep(text, sizeof text);
    int code = capture_check_loss(c, setting_or(s->max_loss, 0));
    message_keep(NULL, 0);
    return code == EXIT_OK ? EXIT_OK : fail(code, "%s: %s", s->operand, text);
}

static int add_capture(struct sides *sides, const struct capture *c, const struct settings *s, enum quantity metric, int *loss)
{
    if (metric == QUANTITY_CPU && !c->cpu)
        return lacks_cpu(s->operand);
    if (sides_add(sides, s->operand, c) < 0)
        return no_memory();
    int r = check_loss(c, s);
    *loss = *loss == EXIT_OK ? r : *loss;
    return EXIT_OK;
}

/* `s`: with one operand. */
static int add_operand(struct sides *sides, const struct settings *s, enum quantity metric, int *loss)
{
    struct operand o;
    struct source source = {0};
    struct capture c;
    struct view view;
    const struct choice choice = choice_make(s);
    int code = operand_find(&o, s, OPERAND_ANY);
    if (code == EXIT_OK) {
        code = source_open(&source, &o.places, o.subject, false, &choice);
        if (operand_take_view(&o, o.subject, &view))
            source_begin_with(&source, &view);
        if (code == EXIT_OK)
            code = source_take(&source, &c);
        if (code == EXIT_OK) {
            code = add_capture(sides, &c, s, metric, loss);
            capture_free(&c);
        }
        source_free(&source);
    }
    operand_free(&o);
    return code;
}

static int add_all(struct sides *sides, const struct settings *s, enum quantity metric, int *loss)
{
    struct settings one = *s;
    int code = EXIT_OK;
    for (size_t i = 0; s->words[i] && code == EXIT_OK; i++) {
        one.operand = s->words[i];
        code = add_operand(sides, &one, metric, loss);
    }
    return code;
}

/* ---- what came of it ---- */

static bool write_as(const struct sides *sides, const struct format *f, const struct settings *s, FILE *out)
{
    size_t width = s->width != UNSET ? (size_t)s->width : out == stdout ? terminal_width() : 0;
    if (strcmp(f->name, "json") == 0)
        return sides_write_json(sides, !s->no_trees, out);
    if (strcmp(f->name, "svg") == 0)
        return sides_write_picture(sides, out);
    if (strcmp(f->name, "tree") == 0)
        return sides_print_tree(sides, setting_or(s->limit, NO_LIMIT), width, out);
    if (strcmp(f->name, "markdown") == 0)
        return sides_write_markdown(sides, setting_or(s->limit, MARKDOWN_LIMIT), out);
    return sides_print_functions(sides, setting_or(s->limit, NO_LIMIT), width, out);
}

static int write_output(const struct sides *sides, const struct format *f, const struct settings *s)
{
    struct output out;
    int code = output_open(&out, s->output, s->force, f->binary, "tscap diff ...");
    return code == EXIT_OK ? output_finish(&out, write_as(sides, f, s, out.file) ? EXIT_OK : no_memory()) : code;
}

/* With too few captures for a test, what there is decides: who gives a threshold wants to know that it was exceeded. */
static int check_threshold(const struct sides *sides)
{
    char explanation[SIDES_VERDICT];
    const struct comparison *c = &sides->comparison;
    if (!sides->fails_over || !c->over)
        return EXIT_OK;
    sides_explain(sides, explanation, sizeof explanation);
    bool certain = c->verdict == VERDICT_FAIL;
    const char *remedy = certain ? "tscap diff --format svg -o diff.svg, which shows where" : "the same with more captures on each side";
    return fail(EXIT_THRESHOLD,
                "%zu function%s exceed%s --fail-over\n"
                "%s\n"
                "%s",
                c->over, c->over == 1 ? "" : "s", c->over == 1 ? "s" : "", explanation, remedy);
}

static int compare(struct sides *sides, const struct format *f, const struct settings *s, enum quantity metric)
{
    int loss = EXIT_OK;
    int code = add_all(sides, s, metric, &loss);
    if (code != EXIT_OK)
        return code;
    sides->fails_over = s->fail_over != UNSET;
    double threshold = sides->fails_over ? (double)s->fail_over / 1e6 : COMPARISON_THRESHOLD;
    if (comparison_make(&sides->comparison, &sides->tally[SIDE_A], &sides->tally[SIDE_B], metric, threshold) < 0)
        return no_memory();
    code = write_output(sides, f, s);
    if (code == EXIT_OK)
        code = check_threshold(sides);
    return code == EXIT_OK ? loss : code;
}

int cmd_diff(const struct settings *s)
{
    struct sides sides;
    enum quantity metric;
    size_t before, after;
    int code = s->format && !format_named(FORMAT_DIFF, s->format) ? unknown_format(s) : EXIT_OK;
    const struct format *f = code == EXIT_OK ? format_check(FORMAT_DIFF, s) : NULL;
    if (!f)
        return EXIT_USAGE;
    code = check_metric(s, &metric);
    if (code == EXIT_OK)
        code = split(s, &before, &after);
    if (code != EXIT_OK)
        return code;
    code = sides_begin(&sides, before, after) == 0 ? compare(&sides, f, s, metric) : no_memory();
    sides_free(&sides);
    return code;
}
