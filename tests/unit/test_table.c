#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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

enum { SHORT = 1, LONG = 2 };
static const struct column columns[] = {
    {"legs", "legs", "how many", SHORT | LONG, false, 0, cell_legs, key_legs, NULL},
    {"twice", "legs again", "for no reason", LONG, true, 1, cell_legs, key_legs, NULL},
    {"name", "name", "what it is called", SHORT | LONG, true, 0, cell_name, NULL, text_cut_path},
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
    cr_expect_eq(column_find(columns, SHORT, "name"), &columns[2]);
    cr_expect_null(column_find(columns, SHORT, "twice"));
    cr_expect_eq(column_find(columns, LONG, "twice"), &columns[1]);
    cr_expect_null(column_find(columns, LONG, ""));
}
