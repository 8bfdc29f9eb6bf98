#include <criterion/criterion.h>
#include <stdlib.h>

#include "difference.h"

static struct profile_site sites_before[] = {{.id = 1, .t = {.calls = 3, .inclusive = 30, .open = 1}}, {.id = 4, .t = {.calls = 1, .raised = 1}}};
static struct profile_site sites_now[] = {
    {.id = 1, .t = {.calls = 5, .inclusive = 80, .open = 1}}, {.id = 2, .t = {.calls = 7}}, {.id = 4, .t = {.calls = 2, .raised = 1}}};
static const struct profile before = {.site = sites_before, .sites = 2}, now = {.site = sites_now, .sites = 3};

Test(difference, sites_are_found_by_their_ids)
{
    struct profile_times *t = difference_sites(&now, &before);
    cr_assert(t);
    cr_expect_eq(t[0].calls, 2);
    cr_expect_eq(t[0].inclusive, 50);
    cr_expect_eq(t[0].open, 1, "as it is now");
    cr_expect_eq(t[1].calls, 7, "new");
    cr_expect_eq(t[2].calls, 1);
    cr_expect_eq(t[2].raised, 0);
    free(t);
}

Test(difference, without_an_earlier_look_it_is_all)
{
    struct profile_times *t = difference_sites(&now, NULL);
    cr_assert(t);
    cr_expect_eq(t[0].calls, 5);
    cr_expect_eq(t[2].raised, 1);
    free(t);
}

/* A thread ends, and is merged with those that had ended: what it had before is not what they did since. */
static struct profile_node nodes_before[] = {{.other = false}, {.site = 1, .t = {.calls = 4, .exclusive = 40}}, {.site = 1, .t = {.calls = 6, .exclusive = 60}}};
static struct profile_node nodes_now[] = {{.other = false}, {.site = 1, .t = {.calls = 11, .exclusive = 115}}};
static struct profile_thread threads_before[] = {{.lane = 1, .complete = true, .first_root = 1}, {.lane = 9, .merged = true, .complete = true, .first_root = 2}};
static struct profile_thread threads_now[] = {{.lane = 9, .merged = true, .complete = true, .first_root = 1}};

Test(difference, what_threads_had_before_they_were_merged_is_not_new)
{
    const struct profile a = {.node = nodes_before, .nodes = 2, .thread = threads_before, .threads = 2};
    const struct profile b = {.node = nodes_now, .nodes = 1, .thread = threads_now, .threads = 1};
    struct profile_times *t = difference_threads(&b, &a);
    cr_assert(t);
    cr_expect_eq(t[0].calls, 1);
    cr_expect_eq(t[0].exclusive, 15);
    free(t);
}
