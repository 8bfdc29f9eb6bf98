#include "wakeup.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own_fd.h"

/* Two ends of a connection: the listener waits at the near one. Whoever closes descriptors that he does not know closes the far
 * one, too, and a connection of which one end is closed wakes who waits at the other: so it need not look from time to time.
 *
 * poll(2) looks at what has the number when it wakes, which may be the program's by then. So the near end can never be written
 * to, while nearly all others can: poll(2) returns for those. */
static struct own_fd near_end = {.fd = -1}, far_end = {.fd = -1};

static int fill(int fd)
{
    int least = 1; /* what the kernel makes of it, some kilobytes: socket(7), SO_SNDBUF */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) != 0)
        return -errno;
    while (send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
        ;
    return errno == EAGAIN ? 0 : -errno;
}

int wakeup_open(void)
{
    int fd[2];
    wakeup_close(); /* what is left of the two */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
        return -errno;
    bool set = own_fd_set(&near_end, fd[0]);
    int r = own_fd_set(&far_end, fd[1]) && set ? fill(fd[0]) : -EBADF;
    if (r < 0)
        wakeup_close();
    return r;
}

bool wakeup_is_ours(void) { return own_fd_is_ours(&near_end) && own_fd_is_ours(&far_end); }
struct pollfd wakeup_poll(void) { return (struct pollfd){.fd = near_end.fd, .events = POLLIN | POLLOUT}; }
bool wakeup_send(void) { return wakeup_is_ours() && send(far_end.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1; }

void wakeup_close(void)
{
    own_fd_close(&far_end);
    own_fd_close(&near_end);
}

void wakeup_drain(void)
{
    char woken[16];
    while (recv(near_end.fd, woken, sizeof woken, MSG_DONTWAIT) > 0)
        ;
}
