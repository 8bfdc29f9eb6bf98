#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"
#include "rundir.h"

static int remaining_ms(uint64_t deadline)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    return now >= deadline ? 0 : (int)((deadline - now + 999999) / 1000000);
}

static int wait_for(int fd, short events, uint64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int r = poll(&p, 1, remaining_ms(deadline));
        if (r > 0)
            return 0;
        if (r == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int transfer(int fd, void *buffer, size_t size, bool out, uint64_t deadline)
{
    for (size_t done = 0; done < size;) {
        int r = wait_for(fd, out ? POLLOUT : POLLIN, deadline);
        if (r < 0)
            return r;
        char *p = (char *)buffer + done;
        ssize_t n = out ? send(fd, p, size - done, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(fd, p, size - done, MSG_DONTWAIT);
        if (n == 0)
            return -ECONNRESET;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A path that fits sun_path whatever the directory: through the directory's descriptor. */
static void address_of(struct sockaddr_un *a, int dirfd, const char *name)
{
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", dirfd, name);
}

static uint64_t deadline_in(int timeout_ms) { return clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u; }

/* Who listens: the kernel noted it at listen(2). */
static int check_peer(int fd, pid_t expected)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return -errno;
    return peer.pid == expected ? 0 : -ESRCH;
}

/* A listener whose queue is full may take one out at any time; poll(2) does not tell. */
static int connect_until(int fd, const struct sockaddr_un *address, uint64_t deadline)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    while (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (!remaining_ms(deadline))
            return -ETIMEDOUT;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int connect_and_send(int fd, const struct sockaddr_un *address, pid_t peer, struct control_request request, const char *text, uint64_t deadline)
{
    if (text)
        request.argument = (uint32_t)strlen(text);
    int r = connect_until(fd, address, deadline);
    if (r == 0 && peer)
        r = check_peer(fd, peer);
    if (r == 0)
        r = transfer(fd, &request, sizeof request, true, deadline);
    return r == 0 && text ? transfer(fd, (void *)(uintptr_t)text, request.argument, true, deadline) : r;
}

/* The socket itself, for connect(2) would follow a link that lies in its place. */
static int open_socket_file(const struct control_address *to)
{
    char name[64];
    struct stat s;
    int r = rundir_socket_name(to->pid, to->start_time, name, sizeof name);
    if (r < 0)
        return r;
    int fd = openat(to->dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode))
        return fd;
    close(fd);
    return -ECONNREFUSED;
}

int control_send(const struct control_address *to, const struct control_request *request, int timeout_ms)
{
    return control_send_text(to, request, NULL, timeout_ms);
}

int control_send_text(const struct control_address *to, const struct control_request *request, const char *text, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t deadline = deadline_in(timeout_ms);
    int file = open_socket_file(to);
    if (file < 0)
        return file;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", file);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -errno : connect_and_send(fd, &address, to->peer, *request, text, deadline);
    close(file);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? r : fd;
}

int control_take_reply(int fd, struct control_reply *reply, int timeout_ms)
{
    int r = control_read_reply(fd, reply, timeout_ms);
    close(fd);
    return r;
}

int control_read_reply(int fd, struct control_reply *reply, int timeout_ms)
{
    int r = transfer(fd, reply, sizeof *reply, false, deadline_in(timeout_ms));
    if (r == 0 && (reply->magic != CONTROL_MAGIC || reply->version != CONTROL_VERSION))
        r = -EPROTO;
    if (r == 0) {
        reply->text[sizeof reply->text - 1] = '\0';
        process_printable(reply->text);
    }
    return r;
}

int control_ask(const struct control_address *to, const struct control_request *request, struct control_reply *reply, int timeout_ms)
{
    uint64_t deadline = deadline_in(timeout_ms);
    int fd = control_send(to, request, timeout_ms);
    return fd < 0 ? fd : control_take_reply(fd, reply, remaining_ms(deadline));
}

int control_listen(int dirfd, const char *name)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    unlinkat(dirfd, name, 0);
    address_of(&address, dirfd, name);
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

static bool peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

int control_receive(int fd, struct control_request *request, int timeout_ms)
{
    if (!peer_allowed(fd))
        return -EPERM;
    int r = transfer(fd, request, sizeof *request, false, deadline_in(timeout_ms));
    if (r == 0 && (request->magic != CONTROL_MAGIC || request->version != CONTROL_VERSION))
        r = -EPROTO;
    return r;
}

int control_receive_text(int fd, char *text, size_t length, int timeout_ms)
{
    text[length] = '\0';
    return transfer(fd, text, length, false, deadline_in(timeout_ms));
}

int control_reply_send(int fd, const struct control_reply *reply)
{
    struct control_reply out = *reply;
    return transfer(fd, &out, sizeof out, true, deadline_in(1000));
}

const char *control_command_name(uint32_t command)
{
    static const char *const names[CONTROL_COMMANDS] = {
        [CONTROL_START] = "start",   [CONTROL_STOP] = "stop",     [CONTROL_RESET] = "reset",  [CONTROL_STATUS] = "status",
        [CONTROL_ATTACH] = "attach", [CONTROL_DETACH] = "detach", [CONTROL_TRACKS] = "tracks"};
    return command && command < CONTROL_COMMANDS ? names[command] : "unknown";
}
