#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comparison.h"

/* A side made by hand: functions called alike everywhere, ten calls in each capture, and the time of each. */
static void add_function(struct tally *t, const char *name, const uint64_t *exclusive)
{
    t->function = realloc(t->function, (t->functions + 1) * sizeof *t->function);
    struct tally_function *f = &t->function[t->functions++];
    f->who = (struct identity){strdup(name), strdup("app"), strdup("app.py"), 1, 0, 0};
    f->of = calloc(t->captures, QUANTITIES * sizeof *f->of);
    for (size_t i = 0; i < t->captures; i++) {
        uint64_t *of = &f->of[i * QUANTITIES];
        of[QUANTITY_CALLS] = exclusive[i] ? 10 : 0;
        of[QUANTITY_EXCLUSIVE] = of[QUANTITY_INCLUSIVE] = exclusive[i];
        of[QUANTITY_CPU] = exclusive[i] / 2;
        of[QUANTITY_P50] = exclusive[i] ? exclusive[i] / 10 : TALLY_UNKNOWN;
    }
}

static struct tally side_of(size_t captures)
{
    struct tally t;
    cr_assert_eq(tally_begin(&t, captures), 0);
    return t;
}

static struct comparison compare(struct tally *a, struct tally *b, double threshold)
{
    struct comparison c;
    cr_assert_eq(comparison_make(&c, a, b, QUANTITY_EXCLUSIVE, threshold), 0);
    return c;
}

static const struct change *find(const struct comparison *c, const char *name)
{
    for (size_t i = 0; i < c->changes; i++)
        if (strcmp(change_who(&c->change[i])->name, name) == 0)
            return &c->change[i];
    cr_assert_fail("%s", name);
    return NULL;
}

static void end(struct comparison *c, struct tally *a, struct tally *b)
{
    comparison_free(c);
    tally_free(a);
    tally_free(b);
}

Test(comparison, medians_and_the_change_per_call)
{
    struct tally a = side_of(3), b = side_of(2);
    add_function(&a, "f", (const uint64_t[]){300, 100, 200});
    add_function(&b, "f", (const uint64_t[]){200, 601});
    struct comparison c = compare(&a, &b, 0);
    const struct change *f = find(&c, "f");
    cr_expect_eq(comparison_function_median(&c, f, SIDE_A, QUANTITY_EXCLUSIVE), 200);
    cr_expect_eq(comparison_function_median(&c, f, SIDE_B, QUANTITY_EXCLUSIVE), 400);
    cr_expect_eq(comparison_function_median(&c, f, SIDE_B, QUANTITY_P50), 40);
    cr_expect_eq(f->per_call[SIDE_A], 20);
    cr_expect_eq(f->per_call[SIDE_B], 40.05);
    cr_expect(fabs(f->relative - 1.0025) < 1e-12);
    cr_expect_eq(f->growth, 200);
    cr_expect_eq(f->share, 1);
    cr_expect(f->tested);
    end(&c, &a, &b);
}

Test(comparison, captures_without_a_call_count_for_totals_only)
{
    struct tally a = side_of(3), b = side_of(1);
    add_function(&a, "f", (const uint64_t[]){100, 0, 0});
    add_function(&b, "f", (const uint64_t[]){100});
    add_function(&b, "g", (const uint64_t[]){300});
    struct comparison c = compare(&a, &b, 0);
    const struct change *f = find(&c, "f"), *g = find(&c, "g");
    cr_expect_eq(f->captures[SIDE_A], 1);
    cr_expect_eq(f->relative, 0);
    cr_expect_eq(comparison_function_median(&c, f, SIDE_A, QUANTITY_EXCLUSIVE), 0);
    cr_expect_eq(comparison_function_median(&c, f, SIDE_A, QUANTITY_P50), 10, "of the one that knows");
    cr_expect(fabs(f->share - (1 + 0.25) / 4) < 1e-12, "%g", f->share);
    cr_expect_eq(g->outcome, OUTCOME_NEW);
    cr_expect_eq(comparison_function_median(&c, g, SIDE_A, QUANTITY_CALLS), TALLY_UNKNOWN);
    cr_expect(isnan(g->relative));
    cr_expect_not(g->tested);
    cr_expect_eq(c.verdict, VERDICT_INCONCLUSIVE);
    end(&c, &a, &b);
}

static const uint64_t low[] = {100, 101, 102, 103, 104, 105, 106}, high[] = {120, 121, 122, 123, 124, 125, 126},
                      small[] = {1, 1, 1, 1, 1, 1, 1}, larger[] = {2, 2, 2, 2, 2, 2, 2};

Test(comparison, slower_faster_alike_and_small)
{
    struct tally a = side_of(7), b = side_of(7);
    add_function(&a, "slower", low);
    add_function(&b, "slower", high);
    add_function(&a, "faster", high);
    add_function(&b, "faster", low);
    add_function(&a, "alike", low);
    add_function(&b, "alike", low);
    add_function(&a, "small", small);
    add_function(&b, "small", larger);
    add_function(&a, "gone", small);
    struct comparison c = compare(&a, &b, 0.1);
    cr_expect_eq(find(&c, "slower")->outcome, OUTCOME_SLOWER);
    cr_expect(find(&c, "slower")->over);
    cr_expect(fabs(find(&c, "slower")->p - 1 / 3432.0) < 1e-12);
    cr_expect(fabs(find(&c, "slower")->q - 3 / 3432.0) < 1e-12);
    cr_expect_eq(&c.change[0], find(&c, "slower"));
    cr_expect_eq(&c.change[4], find(&c, "faster"));
    cr_expect_eq(find(&c, "faster")->outcome, OUTCOME_FASTER);
    cr_expect_not(find(&c, "faster")->over);
    cr_expect_eq(find(&c, "alike")->outcome, OUTCOME_ALIKE);
    cr_expect_eq(find(&c, "small")->outcome, OUTCOME_SMALL);
    cr_expect_eq(find(&c, "gone")->outcome, OUTCOME_GONE);
    cr_expect_eq(c.tested, 3);
    cr_expect_eq(c.over, 1);
    cr_expect_eq(c.needed, 4);
    cr_expect_eq(c.verdict, VERDICT_FAIL);
    comparison_free(&c);
    c = compare(&a, &b, 0.5);
    cr_expect_eq(find(&c, "slower")->outcome, OUTCOME_SLOWER, "but not by that much");
    cr_expect_eq(c.over, 0);
    cr_expect_eq(c.verdict, VERDICT_PASS);
    cr_expect_eq(find(&c, "slower")->visible, 0, "it is apart already");
    cr_expect(fabs(find(&c, "alike")->visible - 0.06) < 1e-12, "106 by 100");
    cr_expect(fabs(find(&c, "faster")->visible - 0.26) < 1e-12, "126 by 100");
    cr_expect_eq(c.visible[0], find(&c, "alike")->visible);
    cr_expect_eq(c.visible[1], find(&c, "faster")->visible);
    end(&c, &a, &b);
}

/* One against one can never tell; three against three can where there is one function. */
Test(comparison, it_says_when_captures_are_too_few)
{
    for (size_t captures = 1; captures <= 3; captures++) {
        struct tally a = side_of(captures), b = side_of(captures);
        add_function(&a, "f", low);
        add_function(&b, "f", high);
        struct comparison c = compare(&a, &b, 0.1);
        cr_expect_eq(c.verdict, captures < 3 ? VERDICT_INCONCLUSIVE : VERDICT_FAIL);
        cr_expect_eq(c.change[0].outcome, captures < 3 ? OUTCOME_TOO_FEW : OUTCOME_SLOWER);
        cr_expect(c.change[0].over);
        cr_expect_eq(c.needed, 3);
        end(&c, &a, &b);
    }
}

Test(comparison, too_few_for_one_function_are_enough_for_many_that_are_slower)
{
    struct tally a = side_of(4), b = side_of(4);
    char name[8];
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "f%u", i);
        add_function(&a, name, low);
        add_function(&b, name, high);
    }
    struct comparison c = compare(&a, &b, 0);
    cr_expect_eq(c.verdict, VERDICT_FAIL);
    cr_expect_eq(c.over, 10);
    cr_expect_eq(c.needed, 5, "for one among ten: 1 of 252");
    end(&c, &a, &b);
}

Test(comparison, nothing_on_either_side)
{
    struct tally a = side_of(1), b = side_of(1);
    struct comparison c = compare(&a, &b, 0);
    cr_expect_eq(c.verdict, VERDICT_INCONCLUSIVE);
    cr_expect_eq(c.changes, 0);
    cr_expect_eq(c.needed, 0);
    end(&c, &a, &b);
}

Test(comparison, from_no_time_at_all)
{
    struct tally a = side_of(1), b = side_of(1);
    add_function(&a, "f", (const uint64_t[]){1000});
    add_function(&b, "f", (const uint64_t[]){1000});
    a.function[0].of[QUANTITY_EXCLUSIVE] = 0;
    struct comparison c = compare(&a, &b, 0.1);
    cr_expect(isinf(c.change[0].relative) && c.change[0].relative > 0);
    cr_expect(c.change[0].over);
    end(&c, &a, &b);
}
