#include "wakeup.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "own_fd.h"

static struct own_fd own = {.fd = -1};

/* A datagram socket that is connected to itself: nobody else can send to it, and, unlike an eventfd, it can be told from the
 * program's own that got its number. */
static int connect_to_itself(int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address.sun_family) != 0) /* the kernel chooses a name */
        return -errno;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 || connect(fd, (const struct sockaddr *)&address, size) != 0)
        return -errno;
    return 0;
}

int wakeup_open(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -errno : connect_to_itself(fd);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : own_fd_set(&own, fd) ? 0 : -EBADF;
}

bool wakeup_is_ours(void) { return own_fd_is_ours(&own); }
int wakeup_fd(void) { return own.fd; }
bool wakeup_send(void) { return own_fd_is_ours(&own) && send(own.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1; }
void wakeup_close(void) { own_fd_close(&own); }

void wakeup_drain(void)
{
    char woken[16];
    while (recv(own.fd, woken, sizeof woken, MSG_DONTWAIT) >= 0)
        ;
}
