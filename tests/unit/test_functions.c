#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "exit_code.h"
#include "functions.h"

static struct profile_site sites_before[] = {
    {.id = 1, .name = "f", .qualname = "f", .module = "m", .file = "m.py", .t = {.calls = 10, .inclusive = 1000, .exclusive = 400}},
    {.id = 2, .name = "g", .qualname = "g", .module = "m", .file = "m.py", .t = {.calls = 5, .inclusive = 500, .exclusive = 500}},
};
static struct profile_site sites_now[] = {
    {.id = 1, .name = "f", .qualname = "f", .module = "m", .file = "m.py",
     .t = {.calls = 30, .inclusive = 4000, .exclusive = 1000, .off_exclusive = 100}},
    {.id = 2, .name = "g", .qualname = "g", .module = "m", .file = "m.py", .t = {.calls = 5, .inclusive = 500, .exclusive = 500}},
    {.id = 3, .name = "h", .qualname = "h", .module = "m", .file = "m.py", .t = {.calls = 2, .inclusive = 20, .exclusive = 20}},
    {.id = 4, .name = "i", .qualname = "i", .module = "m", .file = "m.py"},
};

static struct capture before, now;

static void setup(void)
{
    before = (struct capture){.profile = {.site = sites_before, .sites = 2}, .taken = 1000000000, .scale.ns_per_tick = 1};
    now = (struct capture){.profile = {.site = sites_now, .sites = 4}, .taken = 3000000000, .scale.ns_per_tick = 1, .cpu = true};
    before.breaks = now.breaks = 1;
}

TestSuite(functions, .init = setup);

Test(functions, rows_are_what_was_called)
{
    struct functions f;
    cr_assert_eq(functions_make(&f, &now, NULL), 0);
    cr_expect_eq(f.count, 3);
    cr_expect_eq(f.silent, 1);
    cr_expect_eq(f.calls, 37);
    cr_expect_eq(f.cells.whole, 1520);
    cr_expect_eq(f.seconds, 0);
    functions_free(&f);
}

Test(functions, an_interval_is_the_difference)
{
    struct functions f;
    cr_assert_eq(functions_make(&f, &now, &before), 0);
    cr_expect_eq(f.count, 2, "g was not called in between");
    cr_expect_eq(f.row[0].t.calls, 20);
    cr_expect_eq(f.row[0].t.inclusive, 3000);
    cr_expect_eq(f.row[0].t.exclusive, 600);
    cr_expect_eq(f.row[1].t.calls, 2, "h is new");
    cr_expect_eq(f.seconds, 2.0);
    functions_free(&f);
}

Test(functions, where_it_begins_anew_there_is_nothing_to_subtract)
{
    struct functions f;
    now.breaks = 2;
    now.snapshot.session = (struct session_state){.running = true, .started = 1000000000};
    now.snapshot.asof = 1500000000;
    cr_assert_eq(functions_make(&f, &now, &before), 0);
    cr_expect_eq(f.row[0].t.calls, 30);
    cr_expect_float_eq(f.seconds, 0.5, 1e-6, "since the reset, not since the look before it: %f", f.seconds);
    functions_free(&f);
}

Test(functions, what_would_be_negative_is_nothing)
{
    struct functions f;
    sites_now[0].t.inclusive = 900; /* a thread whose data could not be read this time */
    cr_assert_eq(functions_make(&f, &now, &before), 0);
    cr_expect_eq(f.row[0].t.inclusive, 0);
    functions_free(&f);
    sites_now[0].t.inclusive = 4000;
}

/* Columns of elapsed times depend on all of a recording, not on an interval in which nothing happens to wait. */
Test(functions, elapsed_times_are_shown_where_anything_waited)
{
    struct functions f;
    const struct column *elapsed = column_find(function_columns, FUNCTIONS_TOP, "el.mean"), *bytes = column_find(function_columns, FUNCTIONS_TOP, "bytes");
    cr_assert_eq(functions_make(&f, &now, &before), 0);
    cr_expect(elapsed->idle(&f) && bytes->idle(&f));
    functions_free(&f);
    sites_now[1].t.waited = sites_before[1].t.waited = 7;
    sites_now[0].t.bytes = 5;
    cr_assert_eq(functions_make(&f, &now, &before), 0);
    cr_expect(!elapsed->idle(&f) && !bytes->idle(&f));
    functions_free(&f);
}

Test(functions, the_mean_of_elapsed_times)
{
    struct functions f;
    sites_now[0].t.elapsed = 9000;
    sites_before[0].t.elapsed = 1000;
    cr_assert_eq(functions_make(&f, &now, &before), 0);
    cr_expect_eq(column_find(function_columns, FUNCTIONS_TOP, "el.mean")->key(&f.row[0], &f), 8000 / 20);
    functions_free(&f);
}

Test(functions, sorting_by_a_column, .init = cr_redirect_stderr)
{
    int code;
    const struct column *c = functions_sort_column(FUNCTIONS_DUMP, "calls", &code);
    cr_assert_not_null(c);
    cr_expect_eq(code, EXIT_OK);
    cr_expect_str_eq(functions_sort_column(FUNCTIONS_DUMP, NULL, &code)->name, "exclusive");
    cr_expect_not_null(functions_sort_column(FUNCTIONS_TOP, "rate", &code));
    cr_expect_null(functions_sort_column(FUNCTIONS_DUMP, "rate", &code));
    cr_expect_eq(code, EXIT_USAGE);
    cr_expect_null(functions_sort_column(FUNCTIONS_TOP, "p99", &code));
}
