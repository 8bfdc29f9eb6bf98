#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "table.h"
#include "text.h"

struct animal {
    uint64_t legs;
    const char *name;
};

static const struct animal animals[] = {{4, "dog (/home/pets/dogs/dog.py:1)"}, {1000, "centipede"}, {4, "cat"}, {0, "\xc3\xa9t\xc3\xa9"}};
#define ANIMALS (sizeof animals / sizeof *animals)

static uint64_t key_legs(const void *row, const void *context)
{
    (void)context;
    return ((const struct animal *)row)->legs;
}

static void cell_legs(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    snprintf(buffer, size, "%llu", (unsigned long long)c->key(row, context));
}

static void cell_name(const struct column *c, const void *row, const void *context, char *buffer, size_t size)
{
    (void)c, (void)context;
    snprintf(buffer, size, "%s", ((const struct animal *)row)->name);
}

static bool nothing_flies(const void *context) { return !context; }

enum { SHORT = 1, LONG = 2, WINGED = 4 };
static const struct column columns[] = {
    {"legs", "legs", "how many", SHORT | LONG, false, 0, cell_legs, key_legs, NULL, NULL},
    {"twice", "legs again", "for no reason", LONG, true, 1, cell_legs, key_legs, NULL, NULL},
    {"wings", "wings", "how many", WINGED, false, 0, cell_legs, key_legs, NULL, nothing_flies},
    {"name", "name", "what it is called", SHORT | LONG | WINGED, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

TestSuite(table, .init = text_init);

static char *print(unsigned which, size_t width, bool styled)
{
    struct table t;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    table_begin(&t, columns, which, NULL);
    for (size_t i = 0; i < ANIMALS; i++)
        table_add(&t, &animals[i]);
    cr_assert(table_finish(&t, out, width, styled));
    fclose(out);
    return text;
}

static void expect(unsigned which, size_t width, bool styled, const char *expected)
{
    char *text = print(which, width, styled);
    cr_expect_str_eq(text, expected);
    free(text);
}

Test(table, columns_are_aligned)
{
    expect(SHORT, 0, false,
           "legs  name\n"
           "   4  dog (/home/pets/dogs/dog.py:1)\n"
           "1000  centipede\n"
           "   4  cat\n"
           "   0  \xc3\xa9t\xc3\xa9\n");
}

Test(table, a_table_shows_its_own_columns)
{
    char *text = print(LONG, 0, false);
    cr_expect(strncmp(text, "legs  legs again  name\n   4  4           dog", 44) == 0, "%s", text);
    free(text);
}

Test(table, the_last_column_is_cut_to_the_width)
{
    char *text = print(SHORT, 32, false);
    cr_expect_not_null(strstr(text, "\n   4  dog (/hom...dogs/dog.py:1)\n"), "%s", text);
    free(text);
}

Test(table, where_it_is_too_narrow_columns_that_can_be_spared_go)
{
    char *narrow = print(LONG, 40, false), *other = print(SHORT, 40, false), *wide = print(LONG, 60, false);
    cr_expect_str_eq(narrow, other);
    cr_expect_not_null(strstr(wide, "legs again"));
    free(narrow);
    free(other);
    free(wide);
}

/* Three columns that could go, and a name that needs their room. */
static const struct column roomy[] = {
    {"legs", "legs", "how many", SHORT, false, 0, cell_legs, key_legs, NULL, NULL},
    {"again", "legs again", "for no reason", SHORT, true, 3, cell_legs, key_legs, NULL, NULL},
    {"more", "legs once more", "for no reason", SHORT, true, 2, cell_legs, key_legs, NULL, NULL},
    {"last", "legs at last", "for no reason", SHORT, true, 1, cell_legs, key_legs, NULL, NULL},
    {"name", "name", "what it is called", SHORT, true, 0, cell_name, NULL, &text_fit_path, NULL},
    {0},
};

static char *print_roomy(const char *name, size_t width, const struct column *kept, const char *chosen)
{
    struct table t;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    table_begin(&t, roomy, SHORT, NULL);
    table_keep(&t, kept);
    table_choose(&t, chosen);
    table_add(&t, &(struct animal){4, name});
    cr_assert(table_finish(&t, out, width, false));
    fclose(out);
    return text;
}

static void expect_roomy(const char *name, size_t width, const struct column *kept, const char *chosen, const char *expected)
{
    char *text = print_roomy(name, width, kept, chosen);
    cr_expect_str_eq(text, expected);
    free(text);
}

#define NAMED "a_name_that_needs_room (/home/x/y/file.py:123)"

Test(table, names_and_lines_come_before_columns_that_can_be_spared)
{
    expect_roomy("dog", 80, NULL, NULL, "legs  legs again  legs once more  legs at last  name\n   4  4           4               4             dog\n");
    expect_roomy(NAMED, 80, NULL, NULL, "legs  legs once more  legs at last  name\n   4  4               4             a_name_that_needs_room (/hom.../file.py:123)\n");
    expect_roomy(NAMED, 68, &roomy[1], NULL, "legs  legs again  name\n   4  4           a_name_that_needs_room (/home/x/y/file.py:123)\n");
}

Test(table, no_row_is_wider_than_it_may_be)
{
    static const char *const names[] = {NAMED, "x", "a_very_long_name_of_a_function_that_no_terminal_can_ever_have_enough_room_for (/a/b.py:1)",
                                        "no_place_and_still_longer_than_what_can_be_had_of_columns_in_this_table_of_rows", "f (<frozen importlib._bootstrap_external>:1655)"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t width = 40; width < 120; width++) {
            char *text = print_roomy(names[i], width, NULL, NULL);
            cr_expect_leq(text_width(strchr(text, '\n') + 1), width + 1 /* the end of the line */, "%zu: %s", width, text);
            free(text);
        }
}

Test(table, columns_are_chosen_by_name_in_any_order)
{
    expect_roomy("dog", 80, NULL, "more,legs", "legs once more  legs  name\n4                  4  dog\n");
    expect_roomy("dog", 80, NULL, "legs,name,legs", "legs  name\n   4  dog\n");
    expect_roomy(NAMED, 40, NULL, "more,last", "legs once more  legs at last  name\n4               4             a_name_...\n");
    cr_redirect_stderr();
    cr_expect_eq(column_check(roomy, SHORT, "more,legs", "dump"), EXIT_OK);
    cr_expect_eq(column_check(roomy, SHORT, "more,,legs", "dump"), EXIT_USAGE);
    fflush(stderr);
    cr_expect_stderr_eq_str("tscap: dump: --columns: there is no column ''\n"
                            "  this table has legs,again,more,last,name\n"
                            "  try: tscap dump --columns help\n");
}

static char *print_winged(const void *context, struct table_habit *habit)
{
    struct table t;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    table_begin(&t, columns, WINGED, context);
    table_accustom(&t, habit);
    cr_assert(table_finish(&t, out, 0, false));
    fclose(out);
    return text;
}

Test(table, a_column_with_nothing_to_say_is_left_out_unless_wanted)
{
    struct table_habit habit = {.hidden = 0}, wanted = {.wanted = 1};
    char *idle = print_winged(NULL, &habit), *busy = print_winged(columns, &habit), *anyway = print_winged(NULL, &wanted);
    cr_expect_str_eq(idle, "name\n");
    cr_expect_str_eq(busy, "wings  name\n");
    cr_expect_str_eq(anyway, busy);
    cr_expect_eq(wanted.shown & 1, 1);
    free(idle);
    free(busy);
    free(anyway);
}

Test(table, only_the_header_is_styled)
{
    char *text = print(SHORT, 0, true);
    cr_expect(strncmp(text, "\033[1mlegs  name\033[0m\n", 19) == 0);
    cr_expect_null(strchr(text + 19, '\033'));
    free(text);
}

Test(table, an_empty_table_has_a_header)
{
    struct table t;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    table_begin(&t, columns, SHORT, NULL);
    cr_assert(table_finish(&t, out, 0, false));
    fclose(out);
    cr_expect_str_eq(text, "legs  name\n");
    free(text);
}

static void check_order(const char *column, const size_t *expected)
{
    const void *rows[ANIMALS];
    for (size_t i = 0; i < ANIMALS; i++)
        rows[i] = &animals[i];
    column_sort(column_find(columns, SHORT, column), rows, ANIMALS, NULL);
    for (size_t i = 0; i < ANIMALS; i++)
        cr_expect_eq(rows[i], &animals[expected[i]], "by %s: row %zu", column, i);
}

Test(table, numbers_sort_falling_texts_rising_equals_stay)
{
    check_order("legs", (const size_t[]){1, 0, 2, 3});
    check_order("name", (const size_t[]){2, 1, 0, 3});
}

Test(table, columns_are_found_by_name_within_their_table)
{
    cr_expect_eq(column_find(columns, SHORT, "name"), &columns[3]);
    cr_expect_null(column_find(columns, SHORT, "twice"));
    cr_expect_eq(column_find(columns, LONG, "twice"), &columns[1]);
    cr_expect_null(column_find(columns, LONG, ""));
}
