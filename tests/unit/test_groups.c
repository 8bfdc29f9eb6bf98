/* Groups of functions: who is in which, and inclusive times that are counted once on each path. */
#include <criterion/criterion.h>
#include <string.h>

#include "groups.h"

#define FUNCTION(number, m, q, c, e) \
    {.id = number, .name = q, .qualname = q, .module = m, .file = "/srv/" m ".py", .t = {.calls = c, .inclusive = 1000, .exclusive = e}}
static struct profile_site sites[] = {
    FUNCTION(1, "shop", "main", 1, 10),
    FUNCTION(3, "shop.orders", "Cart.add", 4, 30),
    FUNCTION(5, "shop.orders", "Cart.add.<locals>.each", 8, 20),
    FUNCTION(7, "other", "f", 2, 40),
    {.id = 9, .name = "db.query", .qualname = "main", .module = "shop", .file = "/srv/shop.py", .t = {.calls = 1, .inclusive = 5, .exclusive = 5}},
    {.id = 11, .name = "never", .qualname = "never", .module = "silent", .file = "/srv/silent.py"},
};

/* main 100 -> Cart.add 70 -> (each 20, f 15 -> Cart.add 10), f 25 ; and main's (other) -> each 6, of itself 2. */
static struct profile_node nodes[] = {
    [1] = {.first_child = 2},
    [2] = {.site = 1, .parent = 1, .first_child = 3, .t = {.inclusive = 100, .exclusive = 5}},
    [3] = {.site = 3, .parent = 2, .first_child = 4, .next_sibling = 7, .t = {.inclusive = 70, .exclusive = 35}},
    [4] = {.site = 5, .parent = 3, .next_sibling = 5, .t = {.inclusive = 20, .exclusive = 20}},
    [5] = {.site = 7, .parent = 3, .first_child = 6, .t = {.inclusive = 15, .exclusive = 5}},
    [6] = {.site = 3, .parent = 5, .t = {.inclusive = 10, .exclusive = 10}},
    [7] = {.site = 7, .parent = 2, .t = {.inclusive = 25, .exclusive = 25}},
};
static struct profile_node lost[] = {
    [1] = {.first_child = 2},
    [2] = {.other = true, .parent = 1, .first_child = 3, .t = {.inclusive = 6}},
    [3] = {.site = 5, .parent = 2, .t = {.inclusive = 6, .exclusive = 2}},
};
static struct profile_thread thread = {.first_root = 2, .complete = true};
static struct capture capture;
static struct groups g;

static void setup(void)
{
    capture = (struct capture){.profile = {.site = sites, .sites = sizeof sites / sizeof *sites, .node = nodes, .nodes = 7, .thread = &thread, .threads = 1}};
}

static void teardown(void) { groups_free(&g); }
TestSuite(groups, .init = setup, .fini = teardown);

static const struct group_row *group(const char *name)
{
    for (size_t i = 0; i < g.count; i++)
        if (strcmp(g.row[i].name, name) == 0)
            return &g.row[i];
    return NULL;
}

static void expect(const char *name, uint32_t functions, uint64_t calls, uint64_t exclusive, uint64_t inclusive)
{
    const struct group_row *row = group(name);
    cr_assert_not_null(row, "%s", name);
    cr_expect_eq(row->functions, functions, "%s: %u functions", name, row->functions);
    cr_expect_eq(row->t.calls, calls, "%s: %lu calls", name, row->t.calls);
    cr_expect_eq(row->t.exclusive, exclusive, "%s: exclusive %lu", name, row->t.exclusive);
    cr_expect_eq(row->t.inclusive, inclusive, "%s: inclusive %lu", name, row->t.inclusive);
    cr_expect_not(row->at_least);
    cr_expect_eq(row->entered, 0);
}

Test(groups, by_module)
{
    cr_assert_eq(groups_make(&g, &capture, GROUP_MODULE), 0);
    cr_expect_eq(g.count, 3, "who was never called is in none");
    cr_expect_eq(g.cells.whole, 105);
    expect("shop", 2, 2, 15, 100);
    expect("shop.orders", 2, 12, 50, 70);
    expect("other", 1, 2, 40, 15 + 25);
}

Test(groups, by_file)
{
    cr_assert_eq(groups_make(&g, &capture, GROUP_FILE), 0);
    cr_expect_eq(g.count, 3);
    expect("/srv/shop.orders.py", 2, 12, 50, 70);
}

Test(groups, prefixes_lie_within_each_other)
{
    cr_assert_eq(groups_make(&g, &capture, GROUP_PREFIX), 0);
    cr_expect_eq(g.count, 6);
    expect("shop", 3, 13, 60, 100);
    expect("shop.orders", 2, 12, 50, 70);
    expect("shop.orders.Cart", 2, 12, 50, 70);
    expect("shop.orders.Cart.add", 1, 8, 20, 20);
    expect("other", 1, 2, 40, 15 + 25);
    expect("db", 1, 1, 5, 0);
}

Test(groups, without_a_path_it_is_at_least_what_its_functions_took_themselves)
{
    capture.profile.node = lost;
    capture.profile.nodes = 3;
    cr_assert_eq(groups_make(&g, &capture, GROUP_MODULE), 0);
    cr_expect(group("shop.orders")->at_least && !group("other")->at_least);
    cr_expect_eq(group("shop.orders")->t.inclusive, 2);
}

Test(groups, a_name_of_many_dots_is_in_a_few_groups)
{
    static char dots[65536];
    memset(dots, '.', sizeof dots - 1);
    struct profile_site one = sites[0];
    one.qualname = one.name = dots;
    capture.profile = (struct profile){.site = &one, .sites = 1};
    cr_assert_eq(groups_make(&g, &capture, GROUP_PREFIX), 0);
    cr_expect_leq(g.count, (size_t)GROUP_LEVELS);
}
