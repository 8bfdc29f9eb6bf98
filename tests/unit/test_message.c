#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

#include "message.h"

TestSuite(message, .init = cr_redirect_stderr);

Test(message, an_error_has_three_parts_and_gives_its_code)
{
    cr_expect_eq(fail(EXIT_PERMISSION, "cannot %s %d\nit is %s\n%s", "start", 42, "not yours", "sudo tscap start 42"), EXIT_PERMISSION);
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: cannot start 42\n  it is not yours\n  try: sudo tscap start 42\n");
}

Test(message, there_may_be_several_reasons)
{
    fail(EXIT_USAGE, "two fit\n  1  a\n  2  b\ntscap dump 1");
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: two fit\n    1  a\n    2  b\n  try: tscap dump 1\n");
}

Test(message, a_note_is_one_line)
{
    note("process %d has ended", 42);
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: process 42 has ended\n");
}

Test(message, what_moves_the_cursor_is_taken_out)
{
    note("%s", "a\033[2Jb\rc\177\302\233d");
    fflush(stderr);
    cr_assert_stderr_eq_str("tscap: a?[2Jb?c???d\n");
}
