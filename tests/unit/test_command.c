#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "command.h"

TestSuite(command, .init = cr_redirect_stderr);

static void check(const char *name, enum command_id id)
{
    const struct command *c = command_find(name);
    cr_assert_not_null(c, "'%s' is a command", name);
    cr_expect_eq(c->id, id, "'%s' means %s", name, c->name);
}

Test(command, by_name_and_by_any_beginning_that_is_unique)
{
    for (size_t i = 0; i < command_count; i++)
        check(commands[i].name, commands[i].id);
    check("du", COMMAND_DUMP);
    check("di", COMMAND_DIFF);
    check("c", COMMAND_CONVERT);
    check("a", COMMAND_ATTACH);
    check("p", COMMAND_PS);
    check("res", COMMAND_RESET);
    check("rec", COMMAND_RECORD);
    check("ru", COMMAND_RUN);
    check("sa", COMMAND_SAVE);
    check("sto", COMMAND_STOP);
    check("statu", COMMAND_STATUS);
    check("star", COMMAND_START);
    check("to", COMMAND_TOP);
    check("tr", COMMAND_TRACKS);
}

Test(command, what_is_ambiguous_or_unknown_is_none)
{
    cr_expect_null(command_find("s"));
    cr_expect_null(command_find("r"));
    cr_expect_null(command_find("re"));
    cr_expect_null(command_find("st"));
    cr_expect_null(command_find("sta"));
    cr_expect_null(command_find("t"));
    cr_expect_null(command_find(""));
    cr_expect_null(command_find("dumps"));
    cr_expect_null(command_find("-"));
}
