#include <criterion/criterion.h>

#include "threads.h"

/*  1        5
 *  +- 2     +- 6 - 7 - 8
 *  |  +- 3
 *  +- 4                      */
static struct profile_node nodes[] = {
    [1] = {.first_child = 2, .next_sibling = 5}, [2] = {.parent = 1, .first_child = 3, .next_sibling = 4},
    [3] = {.parent = 2},                         [4] = {.parent = 1},
    [5] = {.first_child = 6},                    [6] = {.parent = 5, .first_child = 7},
    [7] = {.parent = 6, .first_child = 8},       [8] = {.parent = 7},
};
static const struct profile profile = {.node = nodes, .nodes = 8};

Test(threads, a_tree_is_walked_parents_first)
{
    static const unsigned depths[] = {0, 1, 2, 1, 0, 1, 2, 3};
    unsigned depth = 0, seen = 0;
    for (uint32_t i = 1; i; i = tree_next(&profile, i, &depth), seen++) {
        cr_assert_eq(i, seen + 1);
        cr_expect_eq(depth, depths[seen]);
    }
    cr_expect_eq(seen, 8);
}

Test(threads, what_was_never_used_is_not_shown)
{
    cr_expect_not(thread_recorded(&(struct profile_thread){.complete = true}));
    cr_expect(thread_recorded(&(struct profile_thread){.complete = true, .first_root = 1}));
    cr_expect(thread_recorded(&(struct profile_thread){.complete = false}));
}

Test(threads, names)
{
    cr_expect_str_eq(thread_name(&(struct profile_thread){.name = "worker"}), "worker");
    cr_expect_str_eq(thread_name(&(struct profile_thread){.name = ""}), "(no name)");
    cr_expect_str_eq(thread_name(&(struct profile_thread){.name = "worker", .merged = true}), "(threads that ended)");
}
