/* Lists of processes in messages. */
#include <criterion/criterion.h>

#include "pids.h"

static const char *name_of(size_t count, size_t size)
{
    static const pid_t pid[] = {4194301, 4194302, 4194303, 4194304, 5, 6, 7, 8, 9, 10};
    static char text[PIDS_TEXT];
    pids_write(pid, count, text, size);
    return text;
}

Test(pids, in_words)
{
    cr_expect_str_eq(name_of(1, PIDS_TEXT), "process 4194301");
    cr_expect_str_eq(name_of(2, PIDS_TEXT), "processes 4194301, 4194302");
    cr_expect_str_eq(name_of(10, PIDS_TEXT), "processes 4194301, 4194302, 4194303, 4194304, 5, 6, 7, 8 and 2 more");
    cr_expect_str_eq(name_of(10, 12), "processes 4", "cut where there is no room");
}
