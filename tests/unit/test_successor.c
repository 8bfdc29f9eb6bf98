#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "successor.h"

static char folder[64], path[128];
static int first;

static void init(void)
{
    snprintf(folder, sizeof folder, "/tmp/tscap-successor-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    first = open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
    cr_assert_eq(write(first, "old", 3), 3);
}

static void fini(void)
{
    close(first);
    unlink(path);
    cr_assert_eq(rmdir(folder), 0, "nothing else is in there");
}

TestSuite(successor, .init = init, .fini = fini);

static void expect_content(const char *content)
{
    char text[16] = "";
    int fd = open(path, O_RDONLY);
    cr_assert(read(fd, text, sizeof text - 1) >= 0);
    cr_expect_str_eq(text, content);
    close(fd);
}

Test(successor, takes_the_place_at_one_stroke_with_its_rights)
{
    struct successor s;
    struct stat status;
    cr_assert_eq(successor_make(&s, path, first), 0);
    cr_assert_eq(write(s.fd, "new", 3), 3);
    expect_content("old");
    cr_assert_eq(successor_take_place(&s, path, first), 0);
    expect_content("new");
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0640);
    close(s.fd);
}

Test(successor, that_is_dropped_leaves_nothing)
{
    struct successor s;
    cr_assert_eq(successor_make(&s, path, first), 0);
    successor_drop(&s);
    expect_content("old");
}

Test(successor, has_no_place_where_another_file_is)
{
    struct successor s;
    unlink(path);
    cr_expect_eq(successor_make(&s, path, first), -ESTALE);
    close(open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    cr_expect_eq(successor_make(&s, path, first), -ESTALE);
    unlink(path);
    cr_assert_eq(symlink("elsewhere", path), 0);
    cr_expect_eq(successor_make(&s, path, first), -ESTALE);
}

Test(successor, does_not_replace_what_came_meanwhile)
{
    struct successor s;
    cr_assert_eq(successor_make(&s, path, first), 0);
    unlink(path);
    int other = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    cr_assert_eq(write(other, "other", 5), 5);
    cr_expect_eq(successor_take_place(&s, path, first), -ESTALE);
    expect_content("other");
    close(other);
}
