#include <criterion/criterion.h>

#include "threads.h"

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

/* ---- intervals ---- */

#define LANE(page, generation) ((uint64_t)(page) << 32 | (generation))

static struct profile_node node(uint64_t calls) { return (struct profile_node){.t = {.calls = calls, .exclusive = 10 * calls}}; }

static struct capture capture_of(struct profile_thread *thread, uint32_t threads, struct profile_node *tree, uint32_t count)
{
    struct capture c = {.profile = {.thread = thread, .threads = threads, .node = tree, .nodes = count, .complete = true}};
    c.scale.ns_per_tick = 1;
    return c;
}

/* One lives, one ends, one has ended; before the second look the latter two were merged, and a new one took a lane. */
static struct profile_thread threads_before[] = {
    {.lane = LANE(1, 1), .tid = 10, .complete = true, .first_root = 1},
    {.lane = LANE(2, 1), .tid = 11, .complete = true, .first_root = 2},
    {.lane = LANE(3, 1), .tid = 12, .complete = true, .exited = true, .first_root = 3},
    {.lane = LANE(9, 1), .tid = 0, .complete = true, .merged = true, .first_root = 4},
};
static struct profile_thread threads_now[] = {
    {.lane = LANE(1, 1), .tid = 10, .complete = true, .first_root = 1},
    {.lane = LANE(2, 2), .tid = 13, .complete = true, .first_root = 2},
    {.lane = LANE(9, 1), .tid = 0, .complete = true, .merged = true, .first_root = 3},
};

Test(threads, what_was_merged_meanwhile_is_not_new)
{
    struct profile_node nodes_before[] = {{0}, node(100), node(200), node(300), node(1000)};
    struct profile_node nodes_now[] = {{0}, node(105), node(7), node(1000 + 300 + 250)};
    struct capture before = capture_of(threads_before, 4, nodes_before, 4), now = capture_of(threads_now, 3, nodes_now, 3);
    struct threads x;
    cr_assert_eq(threads_make(&x, &now, &before), 0);
    cr_assert_eq(x.count, 3);
    cr_expect_eq(x.row[0].t.calls, 5);
    cr_expect_eq(x.row[1].t.calls, 7, "another thread on the same lane");
    cr_expect_eq(x.row[2].t.calls, 50, "what the ended one did since");
    cr_expect_eq(x.cells.whole, 620);
    threads_free(&x);
}

Test(threads, nor_what_has_been_merged_by_half)
{
    struct profile_node nodes_before[] = {{0}, node(100), node(200), node(300), node(1000)};
    struct profile_node nodes_now[] = {{0}, node(100), node(200), node(120), node(1180)};
    struct capture before = capture_of(threads_before, 4, nodes_before, 4), now = capture_of(threads_before, 4, nodes_now, 4);
    struct threads x;
    cr_assert_eq(threads_make(&x, &now, &before), 0);
    cr_assert_eq(x.count, 2, "only those that live");
    cr_expect_eq(x.row[0].t.calls + x.row[1].t.calls, 0);
    cr_expect_eq(x.cells.whole, 0);
    threads_free(&x);
}

Test(threads, a_thread_that_could_not_be_read_was_not_merged)
{
    struct profile_node nodes_before[] = {{0}, node(100), node(200), node(300), node(1000)};
    struct profile_node nodes_now[] = {{0}, node(100), node(205), node(300), node(1001)};
    struct profile_thread unreadable[4];
    for (size_t i = 0; i < 4; i++)
        unreadable[i] = threads_before[i];
    unreadable[0].complete = false;
    unreadable[0].first_root = 0;
    struct capture before = capture_of(threads_before, 4, nodes_before, 4), now = capture_of(unreadable, 4, nodes_now, 4);
    struct threads x;
    cr_assert_eq(threads_make(&x, &now, &before), 0);
    cr_assert_eq(x.count, 3);
    cr_expect_eq(x.row[1].t.calls, 5);
    cr_expect_eq(x.row[2].t.calls, 1);
    threads_free(&x);
}

Test(threads, after_a_reset_all_is_new)
{
    struct profile_node nodes_before[] = {{0}, node(100), node(200), node(300), node(1000)};
    struct profile_node nodes_now[] = {{0}, node(3), node(7), node(2)};
    struct capture before = capture_of(threads_before, 4, nodes_before, 4), now = capture_of(threads_now, 3, nodes_now, 3);
    struct threads x;
    now.breaks = 1;
    cr_assert_eq(threads_make(&x, &now, &before), 0);
    cr_expect_eq(x.row[0].t.calls, 3);
    cr_expect_eq(x.row[2].t.calls, 2);
    threads_free(&x);
}
