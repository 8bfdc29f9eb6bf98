/* For several unit tests: a run directory of a test's own, work in another process, system calls that are refused. */
#ifndef TSCAP_TESTS_UNIT_SUPPORT_H
#define TSCAP_TESTS_UNIT_SUPPORT_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define SOMEBODY_ELSE 65534 /* a user id that is neither root's nor, in tests, anybody's */

/* ---- a directory ---- */

static inline char *own_directory(void)
{
    static char path[PATH_MAX];
    return path;
}

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where)
{
    (void)s, (void)kind, (void)where;
    return remove(path);
}

static inline void own_directory_remove(void) { nftw(own_directory(), remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* Tests run side by side: each gets a directory below the one the program was given. $TSCAP_DIR names it. With
 * own_directory_remove() for a suite's .init and .fini. */
static inline void own_directory_make(void)
{
    const char *parent = getenv("TSCAP_DIR");
    snprintf(own_directory(), PATH_MAX, "%s/unit.XXXXXX", parent && *parent ? parent : "/dev/shm");
    cr_assert_not_null(mkdtemp(own_directory()));
    setenv("TSCAP_DIR", own_directory(), 1);
}

static inline int own_directory_fd(void)
{
    int fd = open(own_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

/* An empty file. */
static inline void touch(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s", name);
    close(fd);
}

/* ---- processes ---- */

/* What `body` returns in a process of its own (0 .. 127), or 128 + the signal that ended it. */
static inline int run_in_child(int (*body)(void *), void *context)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(body(context));
    cr_assert_gt(pid, 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct helper {
    pid_t pid;
};

/* A child that has done what `prepare` does. */
static inline struct helper helper_start(int (*prepare)(void *), void *context)
{
    int ready[2];
    char byte;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    struct helper h = {.pid = fork()};
    if (h.pid == 0) {
        close(ready[0]);
        int r = prepare ? prepare(context) : 0;
        close(ready[1]);
        while (r == 0)
            pause();
        _exit(r);
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 0, "its end of the pipe closes when it is ready, also by exec");
    close(ready[0]);
    return h;
}

static inline void helper_reap(const struct helper *h) { waitpid(h->pid, NULL, 0); }

static inline void helper_end(const struct helper *h)
{
    kill(h->pid, SIGKILL);
    helper_reap(h);
}

static inline void become_zombie(const struct helper *h)
{
    siginfo_t info;
    kill(h->pid, SIGKILL);
    waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOWAIT);
}

static inline int become_somebody_else(void *unused)
{
    (void)unused;
    return seteuid(SOMEBODY_ELSE) == 0 ? 0 : 1;
}

/* From here on this thread, and what it starts, gets `error` for a system call whose argument has all bits of `mask`. */
static inline bool refuse_syscall(long number, unsigned argument, uint32_t mask, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * argument),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mask, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul) == 0 &&
           prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &program, 0ul, 0ul) == 0;
}

#endif
