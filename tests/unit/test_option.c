#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "command.h"
#include "exit_code.h"
#include "option.h"
#include "settings.h"

static struct settings s;

/* Words of a command line, the command's name first. */
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static int parse(const char *const *words)
{
    static char *argv[16]; /* where `words` points */
    int argc = 0, rest;
    for (; words[argc]; argc++)
        argv[argc] = strdup(words[argc]);
    argv[argc] = NULL;
    return option_parse(command_find(argv[0]), argc, argv, &s, &rest);
}

TestSuite(option, .init = cr_redirect_stderr);

Test(option, what_is_not_said_is_unset)
{
    cr_assert_eq(PARSE("dump", "42"), EXIT_OK);
    cr_expect_str_eq(s.operand, "42");
    cr_expect_str_eq(s.command, "dump");
    cr_expect_eq(s.limit, UNSET);
    cr_expect_eq(s.max_loss, UNSET);
    cr_expect_eq(setting_or(s.limit, 7), 7);
    cr_expect_not(s.json);
    cr_expect_null(s.sort);
}

Test(option, options_stand_on_both_sides_of_the_operand)
{
    cr_assert_eq(PARSE("dump", "--tree", "42", "-n", "5", "--width=80"), EXIT_OK);
    cr_expect(s.tree);
    cr_expect_eq(s.limit, 5);
    cr_expect_eq(s.width, 80);
    cr_expect_str_eq(s.operand, "42");
}

Test(option, long_options_may_be_abbreviated)
{
    cr_assert_eq(PARSE("top", "42", "--ba", "3", "--de", "250ms"), EXIT_OK);
    cr_expect_eq(s.batch, 3);
    cr_expect_eq(s.delay, 250000000);
}

Test(option, after_two_dashes_all_are_operands)
{
    cr_assert_eq(PARSE("dump", "--", "--tree"), EXIT_OK);
    cr_expect_str_eq(s.operand, "--tree");
    cr_expect_not(s.tree);
}

Test(option, two_dashes_part_the_sides_of_a_comparison)
{
    cr_assert_eq(PARSE("diff", "a", "--json", "b", "--", "c", "-o", "--", "--fail-over", "2.5%", "d", "e"), EXIT_OK);
    static const char *const words[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert_str_eq(s.words[i], words[i]);
    cr_expect_null(s.words[5]);
    cr_expect_eq(s.words_before, 2);
    cr_expect_str_eq(s.output, "--");
    cr_expect_eq(s.fail_over, 25000);
    cr_expect(s.json);
    cr_assert_eq(PARSE("diff", "-o", "--", "a", "b"), EXIT_OK);
    cr_expect_eq(s.words_before, UNSET);
    cr_expect_eq(s.fail_over, UNSET);
    cr_expect_eq(PARSE("diff", "a", "--", "b", "--", "c"), EXIT_USAGE);
    cr_expect_eq(PARSE("diff", "a", "--", "b", "--tree-of-life"), EXIT_USAGE);
    cr_expect_eq(PARSE("diff", "a"), EXIT_USAGE);
}

Test(option, an_option_of_another_command_is_refused)
{
    cr_expect_eq(PARSE("start", "42", "--json"), EXIT_USAGE);
    cr_expect_eq(PARSE("ps", "--threads"), EXIT_USAGE);
    cr_expect_eq(PARSE("dump", "42", "-b", "3"), EXIT_USAGE);
}

Test(option, values_out_of_range_are_refused)
{
    cr_expect_eq(PARSE("top", "42", "-b", "0"), EXIT_USAGE);
    cr_expect_eq(PARSE("top", "42", "-b", "-1"), EXIT_USAGE);
    cr_expect_eq(PARSE("top", "42", "-b", "many"), EXIT_USAGE);
    cr_expect_eq(PARSE("top", "42", "-b", "4294967296"), EXIT_USAGE);
    cr_expect_eq(PARSE("top", "42", "-d", "1ms"), EXIT_USAGE);
    cr_expect_eq(PARSE("start", "42", "--timeout", "0"), EXIT_USAGE);
    cr_expect_eq(PARSE("start", "42", "--timeout", "2 days"), EXIT_USAGE);
    cr_expect_eq(PARSE("dump", "42", "--width", "10"), EXIT_USAGE);
}

Test(option, a_missing_value_or_operand_is_refused)
{
    cr_expect_eq(PARSE("dump", "42", "--limit"), EXIT_USAGE);
    cr_expect_eq(PARSE("dump", "42", "-n"), EXIT_USAGE);
    cr_expect_eq(PARSE("dump"), EXIT_USAGE);
    cr_expect_eq(PARSE("dump", "42", "43"), EXIT_USAGE);
    cr_expect_eq(PARSE("gc", "42"), EXIT_USAGE);
    cr_expect_eq(PARSE("dump", "42", "--json=yes"), EXIT_USAGE);
}

Test(option, who_asks_for_help_needs_no_operand)
{
    cr_expect_eq(PARSE("dump", "--help"), EXIT_OK);
    cr_expect(s.help);
    cr_expect_eq(PARSE("dump", "--sort", "help"), EXIT_OK);
}

static unsigned count_letter(char letter, unsigned command)
{
    unsigned count = 0;
    for (size_t i = 0; i < option_count; i++)
        count += options[i].letter == letter && option_fits(&options[i], command);
    return count;
}

Test(option, the_table_has_no_letter_twice_in_a_command)
{
    for (size_t i = 0; i < option_count; i++)
        for (unsigned command = 1; command <= COMMAND_NONE; command <<= 1)
            if (options[i].letter && option_fits(&options[i], command))
                cr_expect_eq(count_letter(options[i].letter, command), 1, "-%c", options[i].letter);
}
