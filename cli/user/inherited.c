#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static struct sigaction broken_pipe, child;
static bool closed[STDERR_FILENO + 1];

void inherited_note(void)
{
    sigaction(SIGPIPE, NULL, &broken_pipe);
    sigaction(SIGCHLD, NULL, &child);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        closed[fd] = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

void inherited_restore(void)
{
    sigaction(SIGPIPE, &broken_pipe, NULL);
    sigaction(SIGCHLD, &child, NULL);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (closed[fd])
            close(fd);
}
