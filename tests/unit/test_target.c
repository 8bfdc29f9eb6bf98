#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"

Test(target, this_program_is_not_python)
{
    struct target t;
    cr_assert_eq(target_inspect(getpid(), &t), 0);
    cr_expect_not(t.python);
    cr_expect_not(t.loaded);
    cr_expect_eq(t.version, 0);
    cr_expect_not_null(strstr(t.image, "test_target"));
}

static pid_t ended_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid;
}

Test(target, a_process_that_is_not_there)
{
    struct target t;
    pid_t pid = ended_child();
    waitpid(pid, NULL, 0);
    cr_expect_eq(target_inspect(pid, &t), -ESRCH);
    cr_expect_eq(target_state(pid), 0);
}

Test(target, a_zombie_is_nothing_to_look_into)
{
    struct target t;
    siginfo_t info;
    pid_t pid = ended_child();
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    cr_expect_eq(target_state(pid), 'Z');
    int r = target_inspect(pid, &t);
    cr_expect(r == 0 || r == -EACCES || r == -ESRCH, "%d", r);
    cr_expect_not(t.python);
    waitpid(pid, NULL, 0);
}

Test(target, a_stopped_process_says_so)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    cr_expect_eq(target_state(pid), 'T');
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

Test(target, files_that_are_not_elf)
{
    bool python = true;
    uint32_t version = 1;
    char path[] = "/tmp/test_target.XXXXXX";
    int fd = mkstemp(path);
    cr_expect_eq(target_examine_file(path, &python, &version), -ENOEXEC, "empty");
    cr_assert_eq(write(fd, "\177ELF\2\1\1 cut short", 17), 17);
    target_examine_file(path, &python, &version);
    cr_expect_not(python, "a damaged header");
    close(fd);
    unlink(path);
    cr_expect_eq(target_examine_file(path, &python, &version), -ENOENT);
    cr_expect_eq(target_examine_file("/dev/null", &python, &version), -ENOEXEC);
    cr_expect_eq(target_examine_file("/", &python, &version), -ENOEXEC);
}

/* A damaged file must not lead outside of itself: this program, cut off and overwritten at many places. */
Test(target, damaged_elf_files)
{
    static char bytes[1 << 20];
    char path[] = "/tmp/test_target.XXXXXX";
    bool python;
    uint32_t version;
    int self = open("/proc/self/exe", O_RDONLY), fd = mkstemp(path);
    ssize_t n = read(self, bytes, sizeof bytes);
    cr_assert_gt(n, 4096);
    srand(1);
    for (int i = 0; i < 200; i++) {
        char saved[64];
        size_t at = (size_t)rand() % (i % 2 ? 64 : (size_t)n - sizeof saved);
        memcpy(saved, bytes + at, sizeof saved);
        for (size_t k = 0; k < sizeof saved; k += 1 + (size_t)rand() % 8)
            bytes[at + k] = (char)rand();
        cr_assert_eq(pwrite(fd, bytes, (size_t)n, 0), n);
        cr_assert_eq(ftruncate(fd, i % 3 ? n : rand() % n), 0);
        target_examine_file(path, &python, &version);
        memcpy(bytes + at, saved, sizeof saved);
    }
    close(fd);
    close(self);
    unlink(path);
}

Test(target, the_environment_a_process_began_with)
{
    char value[64];
    setenv("TARGET_TEST", "later", 1); /* not seen: what counts is how it began */
    cr_expect_eq(target_environment(getpid(), "TARGET_TEST", value, sizeof value), -ENOENT);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sleep", "sleep", "60", NULL);
        _exit(127);
    }
    /* Its image is there a moment before its environment is. */
    for (int i = 0; i < 60000 && target_environment(pid, "TARGET_TEST", value, sizeof value) != 0; i++)
        usleep(1000);
    cr_expect_eq(target_environment(pid, "TARGET_TEST", value, sizeof value), 0);
    cr_expect_str_eq(value, "later");
    cr_expect_eq(target_environment(pid, "TARGET_TEST", value, 3), -ENAMETOOLONG);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
