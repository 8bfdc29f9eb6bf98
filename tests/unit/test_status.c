/* What is read of /proc/PID/status: of real processes, and of texts as kernels of any age, or nobody, would write them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "status.h"

#include "support.h"

TestSuite(status, .init = own_directory_make, .fini = own_directory_remove);

/* ---- real ones ---- */

Test(status, of_this_process)
{
    struct status s;
    cr_assert_eq(status_read(&s, getpid()), 0);
    cr_expect_eq(s.uid[0], getuid());
    cr_expect_eq(s.uid[1], geteuid());
    cr_expect_eq(s.parent, getppid());
    cr_expect_eq(s.inner, getpid());
    cr_expect_eq(s.levels, 1);
    cr_expect_not(status_has_ended(&s));
    cr_expect_eq(status_inner_tid(getpid(), getpid()), getpid());
}

static void *note_number(void *number)
{
    *(pid_t *)number = gettid();
    return (void *)(intptr_t)status_thread_of(gettid());
}

Test(status, of_a_thread)
{
    pthread_t thread;
    pid_t number = 0;
    void *process = NULL;
    cr_assert_eq(pthread_create(&thread, NULL, note_number, &number), 0);
    cr_assert_eq(pthread_join(thread, &process), 0);
    cr_expect_neq(number, getpid());
    cr_expect_eq((pid_t)(intptr_t)process, getpid());
    cr_expect_eq(status_thread_of(getpid()), 0, "a process");
    cr_expect_eq(status_thread_of(INT32_MAX), 0, "nobody");
}

Test(status, of_somebody_else)
{
    struct status s;
    if (geteuid() != 0)
        cr_skip("only root can be somebody else");
    struct helper h = helper_start(become_somebody_else, NULL);
    cr_assert_eq(status_read(&s, h.pid), 0);
    cr_expect_eq(s.uid[0], 0);
    cr_expect_eq(s.uid[1], SOMEBODY_ELSE);
    cr_expect_eq(s.uid[2], 0);
    cr_expect_eq(s.parent, getpid());
    cr_expect_eq(s.capabilities, 0);
    helper_end(&h);
}

Test(status, of_one_that_has_ended)
{
    struct status s;
    struct helper h = helper_start(NULL, NULL);
    become_zombie(&h);
    cr_expect_eq(status_read(&s, h.pid), 0);
    cr_expect_eq(s.state, 'Z');
    cr_expect(status_has_ended(&s));
    helper_reap(&h);
    cr_expect_eq(status_read(&s, h.pid), -ESRCH);
    cr_expect_eq(status_inner_tid(h.pid, h.pid), 0);
}

Test(status, by_a_folder_that_nobody_takes_over)
{
    char path[64];
    struct status s;
    struct helper h = helper_start(NULL, NULL);
    snprintf(path, sizeof path, "/proc/%d", (int)h.pid);
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(status_read_at(&s, folder), 0);
    cr_expect_eq(s.inner, h.pid);
    helper_end(&h);
    cr_expect_eq(status_read_at(&s, folder), -ESRCH);
    close(folder);
}

/* ---- texts ---- */

static int read_text(struct status *s, const char *text)
{
    int folder = own_directory_fd(), fd = openat(folder, "status", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int r = status_read_at(s, folder);
    close(folder);
    return r;
}

#define BEGIN "Name:\tUid:\\nUid:\t0\t0\t0\t0\nState:\tt (tracing stop)\nTgid:\t70\nNgid:\t0\nPid:\t71\nPPid:\t60\nTracerPid:\t50\n"

Test(status, all_that_is_told)
{
    struct status s;
    cr_assert_eq(read_text(&s, BEGIN "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNStgid:\t70\t8\t1\nNSpid:\t71\t9\t2\nCapInh:\t00000000000000ff\n"
                                     "CapEff:\t0000018000080000\nSeccomp:\t2\nSeccomp_filters:\t1\nx86_Thread_features:\tshstk wrss\n"
                                     "x86_Thread_features_locked:\t\n"),
                 0);
    cr_expect_eq(s.state, 't');
    cr_expect(s.uid[0] == 1 && s.uid[1] == 2 && s.uid[2] == 3, "of the line, not of the name that looks like it");
    cr_expect_eq(s.process, 70);
    cr_expect_eq(s.parent, 60);
    cr_expect_eq(s.tracer, 50);
    cr_expect_eq(s.inner, 2);
    cr_expect_eq(s.levels, 3);
    cr_expect_eq(s.capabilities, 0x18000080000);
    cr_expect_eq(s.seccomp, 2);
    cr_expect(s.shadow_stack);
    cr_expect_not(status_has_ended(&s));
}

Test(status, a_kernel_that_tells_less)
{
    struct status s;
    cr_assert_eq(read_text(&s, BEGIN), 0);
    cr_expect_eq(s.inner, 71);
    cr_expect_eq(s.levels, 0);
    cr_expect_eq(s.uid[1], (uid_t)-1, "not root");
    cr_expect_eq(s.capabilities, 0);
    cr_expect_not(s.shadow_stack);
}

/* As of a user with 65536 groups. */
Test(status, behind_a_very_long_line)
{
    static char text[1 << 20] = BEGIN "Groups:\t";
    struct status s;
    size_t used = strlen(text);
    while (used < sizeof text - 200)
        used += (size_t)sprintf(text + used, "4294967294 ");
    strcpy(text + used, "\nNSpid:\t71\t9\nUid:\t1\t2\t3\t4\n");
    cr_assert_eq(read_text(&s, text), 0);
    cr_expect_eq(s.inner, 9);
    cr_expect_eq(s.levels, 2);
    cr_expect_eq(s.uid[1], 2);
}

Test(status, without_a_state_it_is_gone)
{
    static const char *const texts[] = {"", "\n\n\n", "State:\t\n", "State:\t", "State", "Pid:\t1\nUid:\t0\t0\t0\t0\n", "Uid:\t", "NSpid:"};
    struct status s;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_eq(read_text(&s, texts[i]), -ESRCH, "\"%s\"", texts[i]);
}

Test(status, what_is_no_number_is_not_taken)
{
    struct status s;
    cr_assert_eq(read_text(&s, "State:\tX (dead)\nPid:\t\nPPid:\tx\nTracerPid:\t-\nNSpid:\tx\t1\nUid:\t1\t2\nCapEff:\t\nSeccomp:\t\n"), 0);
    cr_expect(status_has_ended(&s));
    cr_expect(s.inner == 0 && s.levels == 0 && s.parent == 0 && s.tracer == 0 && s.seccomp == 0 && s.capabilities == 0);
    cr_expect_eq(s.uid[0], (uid_t)-1);
}
