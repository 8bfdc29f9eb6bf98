#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control.h"
#include "rundir.h"

#include "support.h"

enum { PID = 4242, START = 7, SHORT_MS = 50, LONG_MS = 10000 };
#define NAME "4242-7.sock"

/* A directory whose path does not fit a socket address, and the listener in it. */
static int dirfd = -1, listener = -1;

static void make_deep_directory(void)
{
    static char part[101];
    own_directory_make();
    memset(part, 'd', sizeof part - 1);
    dirfd = own_directory_fd();
    for (int i = 0; i < 2; i++) {
        int above = dirfd;
        cr_assert_eq(mkdirat(above, part, 0700), 0);
        dirfd = openat(above, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert_geq(dirfd, 0);
        close(above);
    }
}

static void remove_all(void)
{
    close(listener);
    close(dirfd);
    own_directory_remove();
}
TestSuite(control, .init = make_deep_directory, .fini = remove_all);

static void begin_listening(void)
{
    listener = control_listen(dirfd, NAME);
    cr_assert_geq(listener, 0, "%s", strerror(-listener));
}

static const struct control_request status = {
    .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .command = CONTROL_STATUS, .argument = 9};

static int ask(struct control_reply *reply, int timeout_ms)
{
    struct control_address to = {.dirfd = dirfd, .pid = PID, .start_time = START};
    return control_ask(&to, &status, reply, timeout_ms);
}

/* Only connects. 0 or -errno; -EAGAIN: the queue is full. */
static int ask_nothing(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NAME, dirfd);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    close(fd);
    return r;
}

/* ---- the other side, in a thread ---- */

struct server {
    pthread_t thread;
    const struct control_reply *reply; /* NULL: ends the connection without one */
    size_t piece;                      /* bytes sent at a time; 0: by control_reply_send() */
    struct control_request request;
    int received, sent;
};

static int accept_one(int timeout_ms)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
}

static int send_pieces(int fd, const struct control_reply *reply, size_t piece)
{
    for (size_t done = 0; done < sizeof *reply; done += piece) {
        size_t n = sizeof *reply - done < piece ? sizeof *reply - done : piece;
        if (send(fd, (const char *)reply + done, n, MSG_NOSIGNAL) != (ssize_t)n)
            return -errno;
    }
    return 0;
}

static void *serve(void *context)
{
    struct server *s = context;
    int fd = accept_one(LONG_MS);
    s->received = control_receive(fd, &s->request, LONG_MS);
    if (s->reply)
        s->sent = s->piece ? send_pieces(fd, s->reply, s->piece) : control_reply_send(fd, s->reply);
    close(fd);
    return NULL;
}

/* Asks somebody who answers with this. What control_ask() returns. */
static int ask_one_who_says(struct server *s, const struct control_reply *reply, struct control_reply *got)
{
    s->reply = reply;
    begin_listening();
    cr_assert_eq(pthread_create(&s->thread, NULL, serve, s), 0);
    int r = ask(got, LONG_MS);
    pthread_join(s->thread, NULL);
    return r;
}

static struct control_reply some_reply(void)
{
    return (struct control_reply){.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .result = CONTROL_ALREADY, .running = 1,
                                  .sites = 1ull << 40, .consumers = 2, .armed = 3, .text = "as you wish"};
}

/* ---- asking and answering ---- */

static void check_exchange(size_t piece)
{
    struct server s = {.piece = piece};
    struct control_reply reply = some_reply(), got;
    cr_expect_eq(ask_one_who_says(&s, &reply, &got), 0);
    cr_expect_eq(memcmp(&got, &reply, sizeof got), 0);
    cr_expect_eq(s.received, 0);
    cr_expect_eq(memcmp(&s.request, &status, sizeof status), 0);
    cr_expect_eq(s.sent, 0);
}

Test(control, a_question_and_its_answer) { check_exchange(0); }
Test(control, an_answer_in_pieces) { check_exchange(7); }

Test(control, a_reply_is_made_fit_for_a_terminal)
{
    struct server s = {.piece = 0};
    struct control_reply reply = some_reply(), got;
    memset(reply.text, 'x', sizeof reply.text);
    memcpy(reply.text, "\033[31m", 5);
    cr_expect_eq(ask_one_who_says(&s, &reply, &got), 0);
    cr_expect_eq(strncmp(got.text, "?[31mx", 6), 0);
    cr_expect_eq(strnlen(got.text, sizeof got.text), sizeof got.text - 1, "it ends");
}

static void check_no_listener(struct control_reply reply)
{
    struct server s = {.piece = 0};
    struct control_reply got;
    cr_expect_eq(ask_one_who_says(&s, &reply, &got), -EPROTO);
}

Test(control, another_magic_in_the_reply)
{
    struct control_reply reply = some_reply();
    reply.magic ^= 1;
    check_no_listener(reply);
}

Test(control, another_version_in_the_reply)
{
    struct control_reply reply = some_reply();
    reply.version++;
    check_no_listener(reply);
}

Test(control, a_connection_that_ends_early)
{
    struct server s = {.piece = 0};
    struct control_reply got;
    cr_expect_eq(ask_one_who_says(&s, NULL, &got), -ECONNRESET);
}

/* ---- nobody answers ---- */

Test(control, a_silent_listener)
{
    struct control_reply got;
    begin_listening();
    cr_expect_eq(ask(&got, SHORT_MS), -ETIMEDOUT);
    cr_expect_eq(ask(&got, 0), -ETIMEDOUT);
}

Test(control, a_listener_whose_queue_is_full)
{
    struct control_reply got;
    begin_listening();
    for (int i = 0; i < 40; i++) /* each stays in the queue until it is taken from there */
        cr_assert_eq(ask(&got, 0), -ETIMEDOUT);
}

/* All that wait in the queue are let in, the last of them answered. */
static void *serve_the_last(void *context)
{
    struct server *s = context;
    struct control_request request;
    for (;;) {
        int fd = accept_one(LONG_MS);
        cr_assert_geq(fd, 0);
        bool last = control_receive(fd, &request, LONG_MS) == 0;
        if (last)
            s->sent = control_reply_send(fd, s->reply);
        close(fd);
        if (last)
            return NULL;
    }
}

Test(control, who_meets_a_full_queue_waits_for_a_place)
{
    struct control_reply reply = some_reply(), got;
    struct server s = {.reply = &reply};
    begin_listening();
    while (ask_nothing() == 0) /* connected, and gone without a word */
        ;
    cr_assert_eq(pthread_create(&s.thread, NULL, serve_the_last, &s), 0);
    cr_expect_eq(ask(&got, LONG_MS), 0);
    pthread_join(s.thread, NULL);
}

Test(control, half_an_answer)
{
    struct control_reply got;
    begin_listening();
    pid_t pid = fork();
    if (pid == 0) {
        int fd = accept_one(LONG_MS);
        send(fd, "half", 4, MSG_NOSIGNAL);
        for (;;)
            pause();
    }
    cr_expect_eq(ask(&got, SHORT_MS), -ETIMEDOUT);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

Test(control, nobody_is_there)
{
    struct control_reply got;
    cr_expect_eq(ask(&got, LONG_MS), -ENOENT);
    touch(dirfd, NAME);
    cr_expect_eq(ask(&got, LONG_MS), -ECONNREFUSED, "a file that is no socket");
    begin_listening();
    close(listener);
    cr_expect_eq(ask(&got, LONG_MS), -ECONNREFUSED, "a socket that was left behind");
}

/* ---- somebody else answers ---- */

static int ask_only(pid_t peer)
{
    struct control_address to = {.dirfd = dirfd, .pid = PID, .start_time = START, .peer = peer};
    struct control_reply got;
    return control_ask(&to, &status, &got, SHORT_MS);
}

Test(control, only_the_process_itself_is_told)
{
    struct control_request request;
    begin_listening();
    cr_expect_eq(ask_only(getppid()), -ESRCH);
    int fd = accept_one(LONG_MS);
    cr_expect_eq(control_receive(fd, &request, SHORT_MS), -ECONNRESET, "it heard nothing");
    close(fd);
    cr_expect_eq(ask_only(getpid()), -ETIMEDOUT, "it is asked, and does not answer");
}

Test(control, a_link_is_not_followed)
{
    begin_listening();
    cr_assert_eq(renameat(dirfd, NAME, dirfd, "moved"), 0);
    cr_assert_eq(symlinkat("moved", dirfd, NAME), 0);
    cr_expect_eq(ask_only(0), -ECONNREFUSED);
    cr_expect_eq(accept_one(0), -1, "nobody came");
}

/* ---- listening ---- */

Test(control, a_socket_is_its_users_alone)
{
    struct stat s;
    umask(0);
    begin_listening();
    cr_assert_eq(fstatat(dirfd, NAME, &s, AT_SYMLINK_NOFOLLOW), 0);
    cr_expect(S_ISSOCK(s.st_mode));
    cr_expect_eq(s.st_mode & 07777, 0600);
    cr_expect(fcntl(listener, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(listener, F_GETFL) & O_NONBLOCK);
}

Test(control, listening_takes_the_place_of_what_was_left_behind)
{
    begin_listening();
    close(listener);
    check_exchange(0);
}

Test(control, listening_where_nothing_can_be_made)
{
    cr_expect_eq(control_listen(dirfd, "no/such"), -ENOENT);
    cr_expect_eq(control_listen(-1, NAME), -ENOENT);
}

/* ---- requests that are not as they should be ---- */

/* What control_receive() says to these bytes, and to the end of the connection after them. */
static int receive_bytes(const void *bytes, size_t size, bool end)
{
    int pair[2];
    struct control_request request;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(send(pair[0], bytes, size, 0), (ssize_t)size);
    if (end)
        shutdown(pair[0], SHUT_WR);
    int r = control_receive(pair[1], &request, SHORT_MS);
    close(pair[0]);
    close(pair[1]);
    return r;
}

Test(control, only_whole_requests_of_this_version_are_taken)
{
    struct control_request r = status;
    cr_expect_eq(receive_bytes(&r, sizeof r, false), 0);
    cr_expect_eq(receive_bytes(&r, sizeof r, true), 0);
    cr_expect_eq(receive_bytes(&r, sizeof r - 1, true), -ECONNRESET);
    cr_expect_eq(receive_bytes(&r, sizeof r - 1, false), -ETIMEDOUT);
    cr_expect_eq(receive_bytes(&r, 0, true), -ECONNRESET);
    r.magic++;
    cr_expect_eq(receive_bytes(&r, sizeof r, false), -EPROTO);
    r = status;
    r.version++;
    cr_expect_eq(receive_bytes(&r, sizeof r, false), -EPROTO);
    r = status;
    r.command = 12345;
    cr_expect_eq(receive_bytes(&r, sizeof r, false), 0, "unknown commands are for the listener to refuse");
}

Test(control, whoever_asked_has_gone)
{
    int pair[2];
    struct control_reply reply = some_reply();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[0]);
    cr_expect_eq(control_reply_send(pair[1], &reply), -EPIPE, "and no signal");
    close(pair[1]);
}

/* ---- who may ask ---- */

static int connect_as_somebody_else(void *unused)
{
    (void)unused;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/" NAME, dirfd);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (setuid(SOMEBODY_ELSE) != 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) != 0)
        return errno;
    return send(fd, &status, sizeof status, MSG_NOSIGNAL) == sizeof status ? 0 : errno;
}

static void let_everybody_in(void)
{
    cr_assert_eq(fchmod(dirfd, 0711), 0);
    cr_assert_eq(fchmodat(dirfd, NAME, 0666, 0), 0);
}

Test(control, another_users_request_is_refused)
{
    struct control_request request = {.magic = 0};
    if (geteuid() != 0)
        cr_skip("only root can be somebody else");
    begin_listening();
    let_everybody_in();
    cr_assert_eq(run_in_child(connect_as_somebody_else, NULL), 0);
    int fd = accept_one(LONG_MS);
    cr_assert_geq(fd, 0);
    cr_expect_eq(control_receive(fd, &request, LONG_MS), -EPERM);
    cr_expect_eq(request.magic, 0, "it is not even read");
    close(fd);
}

Test(control, the_rights_of_the_socket_keep_others_out_as_well)
{
    if (geteuid() != 0)
        cr_skip("only root can be somebody else");
    begin_listening();
    cr_assert_eq(fchmod(dirfd, 0711), 0);
    cr_expect_eq(run_in_child(connect_as_somebody_else, NULL), EACCES);
}

static int receive_as_somebody_else(void *fd)
{
    struct control_request request;
    return seteuid(SOMEBODY_ELSE) == 0 ? -control_receive(*(int *)fd, &request, LONG_MS) : errno;
}

Test(control, root_may_ask_anybody)
{
    int pair[2];
    if (geteuid() != 0)
        cr_skip("only root can be somebody else");
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(send(pair[0], &status, sizeof status, 0), (ssize_t)sizeof status);
    cr_expect_eq(run_in_child(receive_as_somebody_else, &pair[1]), 0);
}

Test(control, command_names)
{
    cr_expect_str_eq(control_command_name(CONTROL_START), "start");
    cr_expect_str_eq(control_command_name(CONTROL_STOP), "stop");
    cr_expect_str_eq(control_command_name(CONTROL_RESET), "reset");
    cr_expect_str_eq(control_command_name(CONTROL_STATUS), "status");
    cr_expect_str_eq(control_command_name(CONTROL_TRACKS), "tracks");
    cr_expect_str_eq(control_command_name(0), "unknown");
    cr_expect_str_eq(control_command_name(CONTROL_COMMANDS), "unknown");
    cr_expect_str_eq(control_command_name(UINT32_MAX), "unknown");
}
