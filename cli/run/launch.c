#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inherited.h"

static void become(char *const *command, int report)
{
    execvp(command[0], command);
    int error = errno;
    ssize_t unused = write(report, &error, sizeof error);
    (void)unused;
    _exit(1);
}

/* The pipe is closed by a command that begins: then there is nothing in it. */
static int read_report(int fd)
{
    int error = 0;
    ssize_t n;
    do
        n = read(fd, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    return n == sizeof error ? error : 0;
}

pid_t launch(char *const *command, const sigset_t *mask, launch_prepare *prepare, const void *context)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        prepare(context);
        inherited_restore();
        sigprocmask(SIG_SETMASK, mask, NULL);
        become(command, report[1]);
    }
    int error = pid < 0 ? errno : 0;
    close(report[1]);
    if (!error)
        error = read_report(report[0]);
    close(report[0]);
    if (error && pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return error ? -error : pid;
}
