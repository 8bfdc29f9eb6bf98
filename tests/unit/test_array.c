#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

#include "array.h"

#define COUNT 1000

Test(array, keeps_what_was_added)
{
    uint64_t *array = NULL;
    size_t count = 0, room = 0, moves = 0;
    while (count < COUNT) {
        size_t before = room;
        array = array_room(array, count, &room, sizeof *array);
        cr_assert_not_null(array);
        cr_assert_lt(count, room);
        moves += room != before;
        array[count] = count * 3;
        count++;
    }
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(array[i], i * 3);
    cr_expect_leq(moves, 10, "it doubles: %zu", moves);
    free(array);
}

Test(array, what_fits_stays_where_it_is)
{
    size_t room = 4;
    char four[4];
    cr_expect_eq(array_room(four, 3, &room, 1), four);
    cr_expect_eq(room, 4);
}

/* Twice the room would wrap, or is more than there is: the array lives on. */
Test(array, no_memory)
{
    size_t room = SIZE_MAX / 24;
    char *array = malloc(1);
    cr_expect_null(array_room(array, room, &room, 16), "wraps");
    cr_expect_eq(room, SIZE_MAX / 24);
    room = SIZE_MAX / 64;
    cr_expect_null(array_room(array, room, &room, 16), "more than PTRDIFF_MAX");
    cr_expect_eq(room, SIZE_MAX / 64);
    free(array);
}
