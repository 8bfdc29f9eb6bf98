#include <string.h>

#include "run_file.h"
#include "support.h"

static int dirfd;

static void init(void)
{
    own_directory_make();
    dirfd = open(own_directory(), O_RDONLY | O_DIRECTORY);
}

TestSuite(run_file, .init = init, .fini = own_directory_remove);

#define NAME "7-9.run"
#define TEXT RUN_FILE_FIRST_LINE "library=/a\nstart\n\n"

static void write_file(const char *text, mode_t mode)
{
    int fd = openat(dirfd, NAME, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static char *read_file(int *error)
{
    int fd = openat(dirfd, NAME, O_RDONLY);
    char *text = run_file_read(fd, error);
    close(fd);
    return text;
}

Test(run_file, has_a_name_that_says_whose_it_is)
{
    char name[64];
    pid_t pid;
    uint64_t start_time;
    cr_assert_eq(run_file_name(7, 9, name, sizeof name), 0);
    cr_assert_str_eq(name, NAME);
    cr_expect(run_file_parse_name(name, &pid, &start_time) && pid == 7 && start_time == 9);
    cr_expect_eq(run_file_name(7, 9, name, 4), -ENAMETOOLONG);
    const char *const others[] = {"7-9.tscap", "7-9.runs", "07-9.run", "7-.run", "-7-9.run", "0-9.run", "7-9.run ", "99999999999-1.run"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_not(run_file_parse_name(others[i], &pid, &start_time), "%s", others[i]);
}

Test(run_file, who_comes_first_is_the_first_however_often_it_comes)
{
    bool first;
    char *text;
    cr_assert_geq(run_file_make(dirfd, NAME, TEXT), 0);
    cr_assert_eq(run_file_join(dirfd, NAME, 11, 5, &first, &text), 0);
    cr_expect(first);
    free(text);
    cr_assert_eq(run_file_join(dirfd, NAME, 12, 5, &first, &text), 0);
    cr_expect_not(first);
    free(text);
    cr_assert_eq(run_file_join(dirfd, NAME, 11, 6, &first, &text), 0);
    cr_expect_not(first, "another process had the number before");
    free(text);
    cr_assert_eq(run_file_join(dirfd, NAME, 11, 5, &first, &text), 0);
    cr_expect(first, "it has become another program");
    cr_expect_str_eq(text, TEXT "11 5\n12 5\n11 6\n11 5\n");
    free(text);
}

Test(run_file, who_cannot_be_recorded_is_not_the_first)
{
    bool first;
    char *text;
    write_file(TEXT "11 ! no \033[31mlibrary\n", 0600);
    cr_assert_eq(run_file_join(dirfd, NAME, 12, 5, &first, &text), 0);
    cr_expect(first);
    struct run_file_line line;
    cr_assert(run_file_line(text, 0, &line));
    cr_expect(line.pid == 11 && line.start_time == 0);
    cr_expect_str_eq(line.problem, "no ?[31mlibrary");
    free(text);
}

Test(run_file, is_not_made_twice_and_is_left_when_its_maker_has_gone)
{
    int fd = run_file_make(dirfd, NAME, TEXT);
    cr_assert_geq(fd, 0);
    cr_expect_eq(run_file_make(dirfd, NAME, TEXT), -EEXIST);
    cr_expect_not(run_file_is_left(dirfd, NAME));
    close(fd);
    cr_expect(run_file_is_left(dirfd, NAME));
    cr_expect_not(run_file_is_left(dirfd, "8-9.run"), "there is none");
}

Test(run_file, of_others_or_of_another_kind_is_refused)
{
    int error;
    bool first;
    char *text;
    write_file(TEXT, 0620);
    cr_expect_null(read_file(&error));
    cr_expect_eq(error, -EPERM, "somebody else can write it");
    cr_expect_eq(run_file_join(dirfd, NAME, 1, 1, &first, &text), -EPERM);
    write_file("tscap run 2\n\n", 0600);
    cr_expect_null(read_file(&error));
    cr_expect_eq(error, -EPROTO);
    write_file("", 0600);
    cr_expect_null(read_file(&error));
    cr_expect_eq(error, -EPROTO);
    cr_expect_eq(run_file_join(dirfd, "8-9.run", 1, 1, &first, &text), -ENOENT);
    cr_assert_eq(symlinkat(NAME, dirfd, "link"), 0);
    cr_expect_eq(run_file_join(dirfd, "link", 1, 1, &first, &text), -ELOOP);
    cr_assert_eq(mkfifoat(dirfd, "fifo", 0600), 0);
    cr_expect_eq(run_file_join(dirfd, "fifo", 1, 1, &first, &text), -EPERM, "and it does not wait for a reader");
}

Test(run_file, lines_that_are_none_are_passed_over)
{
    struct run_file_line line;
    const char *text = RUN_FILE_FIRST_LINE "1 1\n\n\nx\n-1 1\n0 1\n1\n1 \n1 x\n1 1 1\n99999999999 1\n1 99999999999999999999999\n 3 4\n5 6";
    cr_assert(run_file_line(text, 0, &line));
    cr_expect(line.pid == 3 && line.start_time == 4, "%d", (int)line.pid);
    cr_assert(run_file_line(text, 1, &line));
    cr_expect(line.pid == 5 && line.start_time == 6);
    cr_expect_not(run_file_line(text, 2, &line));
    cr_expect_not(run_file_line("", 0, &line));
    cr_expect_not(run_file_line(RUN_FILE_FIRST_LINE "start\n1 1\n", 0, &line), "before the empty line are none");
}

Test(run_file, is_read_up_to_a_size)
{
    int error;
    char *much = malloc(2 * RUN_FILE_MAX);
    size_t used = (size_t)sprintf(much, "%s", TEXT);
    memset(much + used, 'x', 2 * RUN_FILE_MAX - used - 1);
    much[2 * RUN_FILE_MAX - 1] = '\0';
    write_file(much, 0600);
    char *text = read_file(&error);
    cr_assert_not_null(text);
    cr_expect_eq(strlen(text), RUN_FILE_MAX);
    free(text);
    free(much);
}
