#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container.h"
#include "support.h"

static int root; /* of a tree made for each test */

static void make_directory(const char *path) { cr_assert_eq(mkdirat(root, path, 0700), 0, "%s", path); }

static void make_link(const char *target, const char *path) { cr_assert_eq(symlinkat(target, root, path), 0, "%s", path); }

static void make_tree(void)
{
    own_directory_make();
    root = own_directory_fd();
    make_directory("run");
    make_directory("run/tscap");
    make_directory("outside");
    touch(root, "run/tscap/file");
    make_link("run", "link");
    make_link("/run", "absolute");
    make_link("../../../../../../run", "upwards");
    make_link("/proc/self/root", "magic");
    make_link("loop", "loop");
    make_link("tscap", "run/last");
}

static void remove_tree(void)
{
    close(root);
    own_directory_remove();
}
TestSuite(container, .init = make_tree, .fini = remove_tree);

/* What opening says; 1: it opened this tree's run/tscap, to be closed on exec. Asserts nothing: it works in a child too. */
static int open_directory(const char *path)
{
    struct stat expected, got;
    int fd = container_open_path(root, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    bool whole = fstat(fd, &got) == 0 && fstatat(root, "run/tscap", &expected, 0) == 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC;
    close(fd);
    return whole && got.st_ino == expected.st_ino;
}

struct expectation {
    const char *path;
    int result;
};

/* The number of the first path that opens otherwise, from 1; 0: none. */
static int find_other(const struct expectation *e)
{
    for (int i = 0; e[i].path; i++) {
        int r = open_directory(e[i].path);
        bool refused = e[i].result == -ELOOP && r == -ENOTDIR; /* of a link that should be a directory, too */
        if (r != e[i].result && !refused)
            return i + 1;
    }
    return 0;
}

static const struct expectation plain_paths[] = {
    {"/run/tscap", 1},
    {"run//tscap/", 1},
    {"/run/missing", -ENOENT},
    {"/missing/tscap", -ENOENT},
    {"/run/tscap/file", -ENOTDIR},
    {NULL, 0},
};

Test(container, paths_stay_in_the_root)
{
    static const struct expectation links[] = {
        {"/link/tscap", 1},
        {"/absolute/tscap", 1}, /* of this root, not of ours */
        {"/upwards/tscap", 1},
        {"/../../run/tscap", 1},
        {"/magic/run", -ENOENT}, /* there is no /proc here */
        {"/loop", -ELOOP},
        {"/loop/tscap", -ELOOP},
        {"/run/last", -ELOOP}, /* the last part must not be a link */
        {NULL, 0},
    };
    cr_expect_eq(find_other(plain_paths), 0, "number %d", find_other(plain_paths));
    cr_expect_eq(find_other(links), 0, "number %d", find_other(links));
}

static int paths_without_openat2(void *long_path)
{
    const struct expectation others[] = {
        {"/link/tscap", -ELOOP}, {"/absolute/tscap", -ELOOP}, {"/upwards/tscap", -ELOOP}, {"/loop", -ELOOP},
        {"/loop/tscap", -ELOOP}, {"/run/last", -ELOOP},       {"..", -EINVAL},            {"/run/../run/tscap", -EINVAL},
        {"/", -EINVAL},          {long_path, -ENAMETOOLONG},  {NULL, 0},
    };
    if (!refuse_syscall(SYS_openat2, 0, 0, ENOSYS))
        return 100;
    int plain = find_other(plain_paths);
    return plain ? 50 + plain : find_other(others);
}

Test(container, kernels_without_openat2)
{
    char long_path[300] = "/run/";
    memset(long_path + 5, 'x', 280);
    int r = run_in_child(paths_without_openat2, long_path);
    cr_expect_eq(r, 0, "%d", r);
}

/* ---- processes ---- */

Test(container, this_process_is_not_apart)
{
    struct container c;
    cr_assert_eq(container_open(&c, getpid()), 0);
    cr_expect_not(c.apart);
    cr_expect_eq(c.uid, geteuid());
    cr_expect_not(container_has_own_time(&c));
    container_close(&c);
    cr_expect_eq(c.proc, -1);
}

Test(container, nobody_is_there)
{
    struct container c;
    cr_expect_eq(container_open(&c, INT32_MAX), -ESRCH);
    cr_expect_not(container_has_own_pids(INT32_MAX));
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    cr_expect_neq(container_open(&c, pid), 0, "a zombie");
    waitpid(pid, NULL, 0);
}

static int live_below(void *path)
{
    return (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) || chroot(path) != 0 ? 77 : pause();
}

/* A child with another root; -1: not allowed here. */
static pid_t start_below(char *path)
{
    siginfo_t info = {0};
    pid_t pid = fork();
    if (pid == 0)
        _exit(live_below(path));
    char state = 0;
    while (state != 'S' && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0) {
        struct stat theirs, ours;
        char link[64];
        snprintf(link, sizeof link, "/proc/%d/root", (int)pid);
        state = stat(link, &theirs) == 0 && stat("/", &ours) == 0 && theirs.st_ino != ours.st_ino ? 'S' : 0;
        usleep(1000);
    }
    return info.si_pid ? -1 : pid;
}

Test(container, what_a_process_below_another_root_has_and_maps)
{
    struct container c;
    struct container_rundir r;
    struct stat s;
    setenv("TSCAP_DIR", "/never/seen", 1); /* the environment is that which the program began with */
    int fd = openat(root, "run/tscap/file", O_RDWR);
    cr_assert_eq(ftruncate(fd, 8192), 0);
    cr_assert_eq(fstat(fd, &s), 0);
    uint64_t at = (uint64_t)(uintptr_t)mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    pid_t pid = start_below(own_directory());
    if (pid < 0)
        cr_skip("another root is not allowed");
    cr_assert_eq(container_open(&c, pid), 0);
    cr_expect(c.apart);
    cr_expect_eq(c.inner, pid);
    cr_expect(container_maps(&c, at, 8192, s.st_ino));
    cr_expect_not(container_maps(&c, at, 4096, s.st_ino));
    cr_expect_not(container_maps(&c, at + 4096, 4096, s.st_ino));
    cr_expect_not(container_maps(&c, at, 8192, s.st_ino + 1));
    cr_expect_eq(container_open_rundir(&c, &r), -ENOENT);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_expect_not(container_maps(&c, at, 8192, s.st_ino), "it has gone, and nobody takes its place");
    cr_expect_lt(container_open_rundir(&c, &r), 0);
    container_close(&c);
}
