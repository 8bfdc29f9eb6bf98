#include <criterion/criterion.h>

#include "rules.h"

static struct rules rules;

static void parse(const char *text) { cr_assert_eq(rules_parse(&rules, text), 0); }
static void fini(void) { rules_free(&rules); }
TestSuite(rules, .fini = fini);

Test(rules, none)
{
    parse("");
    cr_expect(!rules.count && !rules.chosen && !rules.all && !rules.builtins && !rules.labels && !rules.start && !rules.tether && !rules.alone);
    cr_expect(rules_want(&rules, "m", "f", true));
    cr_expect(!rules_want(&rules, "m", "f", false));
    cr_expect(!rules_may_want(&rules, "m"));
}

Test(rules, how_to_attach)
{
    parse("start\ntether\nalone\nbuiltins\nlabels\nall");
    cr_expect(rules.labels && rules.start && rules.tether && rules.alone && rules.builtins && rules.all && !rules.count);
}

Test(rules, lines_are_whole_words)
{
    parse("starts\nstar\n\nall \nmatch=\nexclude=\nsomething=else\n");
    cr_expect(!rules.start && !rules.all && !rules.count && !rules.chosen);
}

Test(rules, a_part_for_each_side)
{
    parse("match=app.*:Class.*\n");
    cr_expect(rules.chosen);
    cr_expect(rules_want(&rules, "app.views", "Class.method", false));
    cr_expect(rules_want(&rules, "app.views", "Class.f.<locals>.g", false), "* crosses dots");
    cr_expect(!rules_want(&rules, "app.views", "other", false));
    cr_expect(!rules_want(&rules, "lib", "Class.method", false));
    cr_expect(rules_may_want(&rules, "app.views"));
    cr_expect(!rules_may_want(&rules, "lib"));
}

Test(rules, the_name_by_itself_or_after_its_module)
{
    parse("match=handle*\nmatch=shop.cart.*\n");
    cr_expect(rules_want(&rules, "any", "handle_request", false));
    cr_expect(rules_want(&rules, "shop", "cart.add", false));
    cr_expect(rules_want(&rules, "shop.cart", "add", false));
    cr_expect(!rules_want(&rules, "shop", "handel", false));
    cr_expect(rules_may_want(&rules, "any"));
}

Test(rules, an_exclusion_goes_before_any_other)
{
    parse("exclude=app:slow\nmatch=app:*\n");
    cr_expect(!rules_want(&rules, "app", "slow", true));
    cr_expect(rules_want(&rules, "app", "fast", false));
}

Test(rules, exclusions_alone_choose_nothing)
{
    parse("exclude=app:slow\nall\n");
    cr_expect(!rules.chosen);
    cr_expect(rules.all);
    cr_expect(!rules_may_want(&rules, "app"));
}

Test(rules, what_is_named_is_meant_and_not_all)
{
    parse("all\nmatch=f\n");
    cr_expect(rules.chosen);
    cr_expect(!rules.all);
}

Test(rules, a_colon_in_the_name_is_the_first)
{
    parse("match=a:b:c\n");
    cr_assert_eq(rules.count, 1);
    cr_expect_str_eq(rules.rule[0].module, "a");
    cr_expect_str_eq(rules.rule[0].name, "b:c");
}

Test(rules, who_waits)
{
    parse("subprocesses\nstays\nkeeper=42 1234567\n");
    cr_expect(rules.subprocesses && rules.stays && rules.keeper == 42 && rules.keeper_start == 1234567 && !rules.count);
    rules_free(&rules);
    parse("keeper=0 1\nkeeper=-1 1\nkeeper=1\nkeeper=x y\nkeeper=99999999999 1\n");
    cr_expect(!rules.keeper && !rules.subprocesses && !rules.stays);
}
