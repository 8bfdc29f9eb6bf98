#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rundir.h"

#include "support.h"

TestSuite(rundir, .init = own_directory_make, .fini = own_directory_remove);

/* $TSCAP_DIR becomes a name in the test's directory. */
static const char *in_own_directory(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%.1000s/%s", own_directory(), name);
    setenv("TSCAP_DIR", path, 1);
    return path;
}

/* Opens and closes it. 0 or the error. */
static int try_open(uid_t uid, bool create)
{
    int fd = rundir_open(uid, create);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* ---- where it is ---- */

static void check_path(uid_t uid, const char *expected)
{
    char path[RUNDIR_PATH_MAX];
    cr_expect_eq(rundir_path(uid, path, sizeof path), 0);
    cr_expect_str_eq(path, expected);
}

Test(rundir, path)
{
    check_path(1, own_directory());
    setenv("TSCAP_DIR", "", 1);
    check_path(1, "/dev/shm/tscap-1");
    unsetenv("TSCAP_DIR");
    check_path(UINT32_MAX - 1, "/dev/shm/tscap-4294967294");
}

Test(rundir, slashes_at_the_end_do_not_matter)
{
    char slashed[PATH_MAX + 2];
    snprintf(slashed, sizeof slashed, "%s//", own_directory());
    setenv("TSCAP_DIR", slashed, 1);
    check_path(1, own_directory());
    cr_expect_eq(try_open(geteuid(), false), 0);
    setenv("TSCAP_DIR", "//", 1);
    check_path(1, "/");
}

Test(rundir, a_path_that_does_not_fit)
{
    char path[RUNDIR_PATH_MAX], longer[RUNDIR_PATH_MAX + 1] = "";
    memset(longer, 'x', RUNDIR_PATH_MAX);
    setenv("TSCAP_DIR", longer, 1);
    cr_expect_eq(rundir_path(1, path, sizeof path), -ENAMETOOLONG);
    cr_expect_eq(try_open(geteuid(), true), -ENAMETOOLONG);
    longer[RUNDIR_PATH_MAX - 1] = '\0';
    setenv("TSCAP_DIR", longer, 1);
    cr_expect_eq(rundir_path(1, path, sizeof path), 0, "one byte less does");
}

/* ---- who may use it ---- */

Test(rundir, is_made_private_whatever_the_umask)
{
    struct stat s;
    const char *path = in_own_directory("new");
    umask(0);
    cr_expect_eq(try_open(geteuid(), false), -ENOENT);
    cr_expect_eq(try_open(geteuid(), true), 0);
    cr_assert_eq(lstat(path, &s), 0);
    cr_expect(S_ISDIR(s.st_mode));
    cr_expect_eq(s.st_mode & 07777, 0700);
    cr_expect_eq(s.st_uid, geteuid());
    cr_expect_eq(try_open(geteuid(), true), 0, "again");
    cr_expect_eq(try_open(geteuid(), false), 0);
}

Test(rundir, is_not_made_where_nothing_is)
{
    in_own_directory("no/such");
    cr_expect_eq(try_open(geteuid(), true), -ENOENT);
}

Test(rundir, rights_of_others_are_refused)
{
    static const mode_t refused[] = {0710, 0720, 0740, 0701, 0702, 0704, 0777, 01777};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cr_assert_eq(chmod(own_directory(), refused[i]), 0);
        cr_expect_eq(try_open(geteuid(), true), -EPERM, "mode %o", refused[i]);
        cr_expect_eq(try_open(geteuid(), false), -EPERM, "mode %o", refused[i]);
    }
    cr_assert_eq(chmod(own_directory(), 0700), 0);
    cr_expect_eq(try_open(geteuid(), true), 0);
}

static void check_link(const char *name, const char *target)
{
    const char *path = in_own_directory(name);
    cr_assert_eq(symlink(target, path), 0);
    cr_expect_eq(try_open(geteuid(), true), -EPERM, "%s", name);
    cr_expect_eq(try_open(geteuid(), false), -EPERM, "%s", name);
}

Test(rundir, links_are_refused_even_to_a_private_directory)
{
    int dirfd = own_directory_fd();
    cr_assert_eq(mkdirat(dirfd, "private", 0700), 0);
    close(dirfd);
    check_link("link", "private");
    check_link("dangling", "nowhere");
    in_own_directory("link/"); /* open(2) would follow it */
    cr_expect_eq(try_open(geteuid(), true), -EPERM);
}

Test(rundir, files_are_refused)
{
    int dirfd = own_directory_fd();
    touch(dirfd, "file");
    close(dirfd);
    in_own_directory("file");
    cr_expect_eq(try_open(geteuid(), true), -EPERM);
}

Test(rundir, it_must_be_that_users)
{
    if (geteuid() != 0)
        cr_skip("only root can give a directory away");
    const char *path = in_own_directory("foreign");
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_expect_eq(try_open(SOMEBODY_ELSE, false), -EPERM, "root's, asked for as another's");
    cr_assert_eq(chown(path, SOMEBODY_ELSE, 0), 0);
    cr_expect_eq(try_open(geteuid(), false), -EPERM, "another's, asked for as root's");
    cr_expect_eq(try_open(SOMEBODY_ELSE, false), 0);
}

Test(rundir, is_not_inherited)
{
    int fd = rundir_open(geteuid(), false);
    cr_assert_geq(fd, 0);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

/* ---- names ---- */

static void check_name(pid_t pid, uint64_t start_time, const char *segment, const char *socket)
{
    char name[64];
    pid_t p = 0;
    uint64_t t = 0;
    cr_expect_eq(rundir_segment_name(pid, start_time, name, sizeof name), 0);
    cr_expect_str_eq(name, segment);
    cr_expect(rundir_parse_name(name, &p, &t));
    cr_expect(p == pid && t == start_time);
    cr_expect_eq(rundir_socket_name(pid, start_time, name, sizeof name), 0);
    cr_expect_str_eq(name, socket);
    cr_expect_not(rundir_parse_name(name, &p, &t));
}

Test(rundir, names)
{
    check_name(4242, 1234567, "4242-1234567.tscap", "4242-1234567.sock");
    check_name(1, 0, "1-0.tscap", "1-0.sock");
    check_name(INT32_MAX, UINT64_MAX, "2147483647-18446744073709551615.tscap", "2147483647-18446744073709551615.sock");
}

Test(rundir, a_name_needs_room)
{
    char name[sizeof "42-7.tscap"];
    cr_expect_eq(rundir_segment_name(42, 7, name, sizeof name), 0);
    cr_expect_eq(rundir_segment_name(42, 7, name, sizeof name - 1), -ENAMETOOLONG);
    cr_expect_eq(rundir_socket_name(42, 7, name, 4), -ENAMETOOLONG);
}

static const char *const other_names[] = {
    "", ".", "..", "tscap", ".tscap", "-", "-.tscap", "1", "1-", "1-2", "1-2.", "1-.tscap",
    "-1-2.tscap", "1--2.tscap", "0-2.tscap",
    "01-2.tscap", "1-02.tscap", "1-00.tscap", "+1-2.tscap", "1-+2.tscap", " 1-2.tscap", "1- 2.tscap", "1-2 .tscap", "1-2.tscap ",
    "1-2.tscap\n", "\t1-2.tscap", "1-2.tscap~", "1-2.tscap.1", ".1-2.tscap", "1-2.TSCAP", "1-2.sock", "1-2.tsca", "1-2tscap",
    "1.2.tscap", "1_2.tscap", "0x1-2.tscap", "1-0x2.tscap", "1e1-2.tscap", "x1-2.tscap", "1-2-3.tscap", "2147483648-2.tscap",
    "4294967297-2.tscap", "1-18446744073709551616.tscap", "99999999999999999999-2.tscap",
    "1-99999999999999999999999999999999999999999999999999999999999999999999999999999999.tscap"};

Test(rundir, only_exact_names_are_segments)
{
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++) {
        pid_t pid = -1;
        uint64_t start_time = 99;
        cr_expect_not(rundir_parse_name(other_names[i], &pid, &start_time), "\"%s\"", other_names[i]);
        cr_expect(pid == -1 && start_time == 99, "\"%s\" leaves nothing behind", other_names[i]);
    }
}

/* ---- what is in it ---- */

struct visits {
    int dirfd;
    int count, stop_at; /* 0: never */
    pid_t pid;
    uint64_t start_time;
};

static int visit(void *context, int dirfd, const char *name, pid_t pid, uint64_t start_time)
{
    struct visits *v = context;
    char expected[64];
    cr_expect_eq(dirfd, v->dirfd);
    rundir_segment_name(pid, start_time, expected, sizeof expected);
    cr_expect_str_eq(name, expected);
    cr_expect(pid > v->pid || (pid == v->pid && start_time > v->start_time), "%ld-%" PRIu64 " after %ld-%" PRIu64, (long)pid,
              start_time, (long)v->pid, v->start_time);
    v->pid = pid;
    v->start_time = start_time;
    return ++v->count == v->stop_at ? 77 : 0;
}

static int visit_all(struct visits *v, int dirfd, int stop_at)
{
    *v = (struct visits){.dirfd = dirfd, .stop_at = stop_at};
    return rundir_each(dirfd, visit, v);
}

/* Distinct, out of order, some of the same pid; and files that are no segments. */
static void fill(int dirfd, uint32_t segments)
{
    for (uint32_t i = 0; i < segments; i++) {
        char name[64];
        uint32_t j = i * 7919 % segments;
        rundir_segment_name((pid_t)(j / 3 * 997 + 1), j % 3 * 5000000000 + 9, name, sizeof name);
        touch(dirfd, name);
    }
    touch(dirfd, "1-2.sock");
    touch(dirfd, "notes");
    touch(dirfd, ".1-2.tscap");
    touch(dirfd, "01-2.tscap");
}

Test(rundir, each_segment_once_in_order_of_pid)
{
    enum { SEGMENTS = 300 };
    struct visits v;
    int dirfd = own_directory_fd();
    cr_expect_eq(visit_all(&v, dirfd, 0), 0);
    cr_expect_eq(v.count, 0, "an empty directory");
    fill(dirfd, SEGMENTS);
    cr_expect_eq(visit_all(&v, dirfd, 0), 0);
    cr_expect_eq(v.count, SEGMENTS);
    cr_expect_eq(visit_all(&v, dirfd, 10), 77, "what the visitor says ends the walk");
    cr_expect_eq(v.count, 10);
    cr_expect_eq(visit_all(&v, dirfd, 0), 0);
    cr_expect_eq(v.count, SEGMENTS, "the walk begins anew");
    close(dirfd);
}

Test(rundir, each_of_what_is_no_directory)
{
    struct visits v;
    cr_expect_eq(visit_all(&v, -1, 0), -EBADF);
}
