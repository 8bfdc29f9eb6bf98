#include <criterion/criterion.h>
#include <string.h>

#include "command.h"
#include "format.h"
#include "option.h"
#include "settings.h"

/* The command that writes it. */
static unsigned command_of(const struct format *f)
{
    static const unsigned command[] = {
        [FORMAT_PROFILE] = COMMAND_DUMP, [FORMAT_INTERVAL] = COMMAND_TOP, [FORMAT_PROCESSES] = COMMAND_PS, [FORMAT_STACKS] = COMMAND_STACK};
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
        cr_expect_eq(o->type, OPTION_FLAG);
        cr_expect_eq(o->offset, formats[i].flag);
    }
}

Test(format, what_one_may_heed_is_an_option_of_its_command)
{
    static const char *const names[] = {"sort", "limit", "width", "tree"};
    for (size_t i = 0; i < format_count; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (formats[i].accepts & 1u << k)
                cr_expect_not_null(option_of(command_of(&formats[i]), names[k]), "--%s", names[k]);
}

Test(format, without_an_option_it_is_the_one_that_has_none)
{
    const struct settings s = {.command = "any"};
    for (enum format_of of = FORMAT_PROFILE; of <= FORMAT_STACKS; of++) {
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
    cr_expect_null(format_choose(FORMAT_PROFILE, &(struct settings){.tree = true, .threads = true}));
    cr_expect_not_null(format_choose(FORMAT_PROCESSES, &(struct settings){.tree = true, .json = true}), "there --tree is no format");
}
