/* Strays by name; who is one is seen by the tests of the command, with real ones. */
#include <criterion/criterion.h>

#include "stray.h"

static const char *name_of(size_t count, size_t size)
{
    static pid_t pid[] = {4194301, 4194302, 4194303, 4194304, 5, 6, 7, 8, 9, 10};
    static char text[STRAYS_TEXT];
    const struct strays s = {.pid = pid, .count = count};
    strays_name(&s, text, size);
    return text;
}

Test(stray, names)
{
    cr_expect_str_eq(name_of(1, STRAYS_TEXT), "process 4194301");
    cr_expect_str_eq(name_of(2, STRAYS_TEXT), "processes 4194301, 4194302");
    cr_expect_str_eq(name_of(10, STRAYS_TEXT), "processes 4194301, 4194302, 4194303, 4194304, 5, 6, 7, 8 and 2 more");
    cr_expect_str_eq(name_of(10, 12), "processes 4", "cut where there is no room");
}
