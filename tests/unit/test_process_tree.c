/* Who descends from whom, against an oracle that walks up each process' ancestors by itself. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "process_tree.h"

#include "../support/random.h"

enum { MOST = 40, BOOT = 7 };

static struct subject subject[MOST];
static struct subjects all = {.subject = subject};

static void setup(void)
{
    memset(subject, 0, sizeof subject);
    all.count = 0;
}

TestSuite(process_tree, .init = setup);

static struct subject *add(pid_t pid, uint64_t start_time)
{
    struct subject *s = &subject[all.count++];
    *s = (struct subject){.pid = pid, .inner = pid, .start_time = start_time, .uid = 1000};
    s->header.boot_id[0] = BOOT;
    return s;
}

/* As a fork does: the parent first, then the parent's ancestors, as many as there is room for. */
static struct subject *add_child(pid_t pid, uint64_t start_time, const struct subject *parent)
{
    struct subject *s = add(pid, start_time);
    s->header.lineage[0] = (struct ancestor){.pid = (uint32_t)parent->inner, .start_time = parent->start_time};
    for (unsigned k = 1; k < SEGMENT_LINEAGE; k++)
        s->header.lineage[k] = parent->header.lineage[k - 1];
    return s;
}

static const struct subject *parent_of(const struct process_tree *tree, const struct subject *s)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->relative[i].subject == s)
            return tree->relative[i].parent == PROCESS_TREE_NONE ? NULL : tree->relative[tree->relative[i].parent].subject;
    cr_assert_fail("process %d is not there", (int)s->pid);
    return NULL;
}

static struct process_tree made(void)
{
    struct process_tree tree;
    cr_assert_eq(process_tree_make(&tree, &all), 0);
    cr_assert_eq(tree.count, all.count);
    return tree;
}

Test(process_tree, nobody)
{
    struct process_tree tree = made();
    process_tree_free(&tree);
}

Test(process_tree, a_grandchild_has_its_place_without_the_one_between)
{
    struct subject *root = add(10, 100), between = {.inner = 11, .start_time = 110};
    between.header.lineage[0] = (struct ancestor){.pid = 10, .start_time = 100};
    struct subject *grandchild = add_child(12, 120, &between);
    struct process_tree tree = made();
    cr_expect_eq(parent_of(&tree, grandchild), root);
    cr_expect_eq(tree.relative[1].depth, 1);
    process_tree_free(&tree);
}

Test(process_tree, a_number_given_away_again_is_nobodys_parent)
{
    struct subject dead = {.inner = 10, .start_time = 90}, *child = add_child(12, 120, &dead);
    add(10, 100);
    struct process_tree tree = made();
    cr_expect_null(parent_of(&tree, child));
    process_tree_free(&tree);
}

static void check_not_believed(void)
{
    struct process_tree tree = made();
    cr_expect_null(parent_of(&tree, &subject[1]));
    process_tree_free(&tree);
}

Test(process_tree, what_cannot_be_is_not_believed)
{
    struct subject *root = add(10, 100);
    add_child(12, 120, root)->uid = 1001;
    check_not_believed();
    subject[1].uid = root->uid;
    subject[1].header.boot_id[0] = BOOT + 1;
    check_not_believed();
    subject[1].header.boot_id[0] = BOOT;
    subject[1].error = -1;
    check_not_believed();
    subject[1].error = 0;
    root->start_time = subject[1].header.lineage[0].start_time = 121; /* younger than its child */
    check_not_believed();
}

/* Each says that it descends from all others. */
Test(process_tree, in_a_circle_nobody_is_an_own_ancestor)
{
    for (pid_t pid = 1; pid <= 5; pid++) {
        struct subject *s = add(pid, 100);
        for (unsigned k = 0; k < 4 && k < SEGMENT_LINEAGE; k++)
            s->header.lineage[k] = (struct ancestor){.pid = (uint32_t)(pid + (pid_t)k) % 5 + 1, .start_time = 100};
    }
    struct process_tree tree = made();
    for (size_t i = 0; i < tree.count; i++)
        cr_expect(tree.relative[i].parent == PROCESS_TREE_NONE || tree.relative[i].parent < i);
    process_tree_free(&tree);
}

/* ---- random forests ---- */

static size_t ancestor[MOST]; /* of process i before some were taken out: the parent's number; itself: none */

static void plant(struct random *r, struct subject *process, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ancestor[i] = i && random_chance(r, 80) ? random_below(r, (uint32_t)i) : i;
        all.count = 0;
        process[i] = ancestor[i] == i ? *add(100 + (pid_t)i, 1000 + i) : *add_child(100 + (pid_t)i, 1000 + i, &process[ancestor[i]]);
    }
}

/* The nearest ancestor that was left, if it is no farther than a segment remembers. */
static size_t nearest(size_t i, const bool *left)
{
    for (unsigned k = 0; k < SEGMENT_LINEAGE && ancestor[i] != i; k++) {
        i = ancestor[i];
        if (left[i])
            return i;
    }
    return PROCESS_TREE_NONE;
}

static void check_forest(struct random *r)
{
    static struct subject process[MOST];
    bool left[MOST];
    size_t number[MOST], count = 1 + random_below(r, MOST);
    plant(r, process, count);
    all.count = 0;
    for (size_t i = 0; i < count; i++)
        if ((left[i] = random_chance(r, 70))) {
            number[all.count] = i;
            subject[all.count++] = process[i];
        }
    struct process_tree tree = made();
    for (size_t k = 0; k < all.count; k++) {
        const struct subject *parent = parent_of(&tree, &subject[k]);
        size_t expected = nearest(number[k], left);
        cr_assert_eq(parent ? number[parent - subject] : PROCESS_TREE_NONE, expected);
    }
    for (size_t i = 0; i < tree.count; i++) {
        const struct relative *x = &tree.relative[i];
        cr_assert(x->parent == PROCESS_TREE_NONE ? x->depth == 0 : x->parent < i && x->depth == tree.relative[x->parent].depth + 1);
        cr_assert(i == 0 || x->depth <= tree.relative[i - 1].depth + 1, "right after its parent, or after a descendant of that");
    }
    process_tree_free(&tree);
}

Test(process_tree, random_forests)
{
    struct random r = random_seeded(11);
    for (int i = 0; i < 2000; i++)
        check_forest(&r);
}

Test(process_tree, of_one_root)
{
    struct subject *root = add(10, 100), *child = add_child(11, 110, root);
    add_child(12, 120, child);
    add_child(13, 130, root);
    add(14, 140);
    struct process_tree tree;
    cr_assert_eq(process_tree_of(&tree, &all, child), 0);
    cr_assert_eq(tree.count, 2);
    cr_expect(tree.relative[0].subject == child && tree.relative[0].parent == PROCESS_TREE_NONE && tree.relative[0].depth == 0);
    cr_expect(tree.relative[1].subject == &subject[2] && tree.relative[1].parent == 0 && tree.relative[1].depth == 1);
    process_tree_free(&tree);
    struct subject stranger = {0};
    cr_assert_eq(process_tree_of(&tree, &all, &stranger), 0);
    cr_expect_eq(tree.count, 0);
    process_tree_free(&tree);
}

/* ---- who is missing ---- */

static struct subject *add_heir(pid_t pid, const struct subject *parent)
{
    struct subject *s = add_child(pid, 200, parent);
    s->header.session_flags = SESSION_COUNTED;
    s->header.anchor_ticks = 60;
    return s;
}

static uint64_t missing(void)
{
    struct process_tree tree = made();
    uint64_t count = process_tree_missing(&tree);
    process_tree_free(&tree);
    return count;
}

Test(process_tree, missing_are_heirs_of_which_nothing_is_there)
{
    struct subject *root = add(10, 100);
    root->header.session_started = 50;
    root->header.offspring = 3;
    struct subject *heir = add_heir(11, root);
    cr_expect_eq(missing(), 2);
    add_heir(12, root);
    add_heir(13, root);
    cr_expect_eq(missing(), 0);
    add_heir(14, root); /* more than it says it has */
    cr_expect_eq(missing(), 0);
    all.count = 2;
    heir->header.anchor_ticks = 49; /* before the parent's last reset */
    cr_expect_eq(missing(), 3);
    heir->header.anchor_ticks = 60;
    heir->header.session_flags = 0; /* its session is its own */
    cr_expect_eq(missing(), 3);
}
