#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "format.h"
#include "option.h"
#include "settings.h"

/* The command that writes it. */
static unsigned command_of(const struct format *f)
{
    static const unsigned command[] = {
        [FORMAT_PROFILE] = COMMAND_DUMP /* and convert */, [FORMAT_INTERVAL] = COMMAND_TOP, [FORMAT_PROCESSES] = COMMAND_PS,
        [FORMAT_STACKS] = COMMAND_STACK, [FORMAT_PYTHONS] = COMMAND_PS, [FORMAT_STATUS] = COMMAND_STATUS,
        [FORMAT_DIFF] = COMMAND_DIFF};
    return command[f->of];
}

static const struct option_row *option_of(unsigned command, const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0 && option_fits(&options[i], command))
            return &options[i];
    return NULL;
}

Test(format, each_is_chosen_by_an_option_of_its_command)
{
    for (size_t i = 0; i < format_count; i++) {
        if (!formats[i].option)
            continue;
        const struct option_row *o = option_of(command_of(&formats[i]), formats[i].option);
        cr_assert_not_null(o, "--%s", formats[i].option);
        cr_expect_eq(o->offset, formats[i].offset);
    }
}

Test(format, what_one_may_heed_is_an_option_of_its_command)
{
    for (size_t i = 0; i < format_count; i++)
        for (size_t k = 0; k < format_option_count; k++) {
            const struct option_row *o = option_of(command_of(&formats[i]), format_options[k].name);
            if (!(formats[i].accepts & 1u << k))
                continue;
            cr_assert_not_null(o, "--%s", format_options[k].name);
            cr_expect_eq(o->offset, format_options[k].offset);
        }
}

Test(format, without_an_option_it_is_the_one_that_has_none)
{
    const struct settings s = {.command = "any", .batch = UNSET};
    for (enum format_of of = FORMAT_PROFILE; of <= FORMAT_DIFF; of++) {
        const struct format *f = format_choose(of, &s);
        cr_assert_not_null(f);
        cr_expect_null(f->option);
        cr_expect_eq(f->of, of);
    }
}

Test(format, one_is_chosen_more_are_too_many)
{
    cr_expect_str_eq(format_choose(FORMAT_PROFILE, &(struct settings){.json = true})->option, "json");
    cr_expect_str_eq(format_choose(FORMAT_PROFILE, &(struct settings){.threads = true})->option, "threads");
    cr_expect_str_eq(format_choose(FORMAT_INTERVAL, &(struct settings){.batch = 3})->option, "batch");
    cr_expect_null(format_choose(FORMAT_PROFILE, &(struct settings){.tree = true, .threads = true}));
    cr_expect_str_eq(format_choose(FORMAT_PROFILE, &(struct settings){.format = "pprof"})->name, "pprof");
    cr_expect_str_eq(format_choose(FORMAT_PROFILE, &(struct settings){.format = "json"})->option, "json");
    cr_expect_str_eq(format_choose(FORMAT_PROFILE, &(struct settings){.format = "json", .json = true})->option, "json", "twice the same");
    cr_expect_null(format_choose(FORMAT_PROFILE, &(struct settings){.format = "pprof", .json = true}));
    cr_expect_null(format_choose(FORMAT_PROFILE, &(struct settings){.format = "none"}));
    cr_expect_not_null(format_choose(FORMAT_PROCESSES, &(struct settings){.tree = true, .json = true}), "there --tree is no format");
}

static struct settings none_but(const char *command)
{
    return (struct settings){.command = command, .operand = "42", .batch = UNSET, .limit = UNSET, .width = UNSET, .min_share = UNSET};
}

Test(format, what_it_does_not_heed_is_a_mistake)
{
    cr_redirect_stderr();
    struct settings s = none_but("dump");
    cr_expect_not_null(format_check(FORMAT_PROFILE, &s));
    s.limit = 3;
    s.sort = "calls";
    cr_expect_not_null(format_check(FORMAT_PROFILE, &s));
    s.tree = true;
    cr_expect_null(format_check(FORMAT_PROFILE, &s), "trees are not sorted");
    s.sort = NULL;
    cr_expect_not_null(format_check(FORMAT_PROFILE, &s));
    s.json = true;
    cr_expect_null(format_check(FORMAT_PROFILE, &s), "two of them");
    cr_expect_null(format_check(FORMAT_INTERVAL, &s), "a full screen has no limit");
    s.batch = 1;
    s.tree = false;
    cr_expect_not_null(format_check(FORMAT_INTERVAL, &s));
}

Test(format, what_one_option_excludes_is_a_mistake)
{
    cr_redirect_stderr();
    struct settings s = none_but("dump");
    s.json = s.flat = true;
    cr_expect_not_null(format_check(FORMAT_PROFILE, &s));
    s.no_trees = true;
    cr_expect_null(format_check(FORMAT_PROFILE, &s));
    s.flat = false;
    cr_expect_not_null(format_check(FORMAT_PROFILE, &s));
}

Test(format, a_mistake_says_what_it_is_for_and_what_to_type)
{
    cr_redirect_stderr();
    struct settings s = none_but("dump");
    s.flat = true;
    format_check(FORMAT_PROFILE, &s);
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: dump: --flat does not go with the table of functions\n"
                            "  it is for JSON\n"
                            "  try: tscap dump 42\n");
}

Test(format, each_of_a_profile_has_a_name_of_its_own_and_one_way_to_be_written)
{
    for (size_t i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];
        if (f->of != FORMAT_PROFILE)
            continue;
        bool has_a_value = f->option && option_of(COMMAND_DUMP, f->option)->argument;
        cr_assert_eq(f->name == NULL, has_a_value, "%s: what takes a value is chosen by its option alone", f->title);
        cr_expect(!f->name || format_named(FORMAT_PROFILE, f->name) == f);
        cr_expect(!f->option || !f->name || strcmp(f->option, f->name) == 0);
        cr_expect(f->write || f->export, "%s", f->title);
        cr_expect_eq(f->opens != NULL, f->save || f->export, "%s", f->title);
    }
}

Test(format, what_converts_is_an_option_of_both_commands)
{
    static const char *const names[] = {"format", "metric", "invert", "subprocesses", "consumer", "max-loss"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        cr_expect_not_null(option_of(COMMAND_CONVERT, names[k]), "--%s", names[k]);
        cr_expect_not_null(option_of(COMMAND_DUMP, names[k]), "--%s", names[k]);
    }
}

Test(format, what_a_table_is_asked_for_is_checked_before_anything_is_looked_at)
{
    int code;
    cr_redirect_stderr();
    cr_redirect_stdout();
    static const struct {
        struct settings s;
        int code;
        bool goes_on;
    } asked[] = {
        {{.by = "module", .columns = "functions,calls"}, EXIT_OK, true},
        {{.by = "colour"}, EXIT_USAGE, false},
        {{.by = "file", .columns = "functions,mean"}, EXIT_USAGE, false},
        {{.callers = "f", .sort = "calls"}, EXIT_OK, true},
        {{.callers = "f", .sort = "mean"}, EXIT_USAGE, false},
        {{.sort = "mean", .columns = "help"}, EXIT_OK, false},
        {{.tree = true, .columns = "cpu,inclusive"}, EXIT_OK, true},
        {{.filter = "a|(b"}, EXIT_USAGE, false},
        {{.filter = "^a[.]b"}, EXIT_OK, true},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct settings s = asked[i].s;
        s.command = "dump";
        s.operand = "42";
        bool goes_on = format_check_table(format_choose(FORMAT_PROFILE, &s), &s, &code);
        cr_expect_eq(goes_on, asked[i].goes_on, "%zu", i);
        cr_expect_eq(code, asked[i].code, "%zu", i);
    }
}
