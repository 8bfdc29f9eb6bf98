#include "listener.h"

#include "python.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attachment.h"
#include "control.h"
#include "functions.h"
#include "hook.h"
#include "interpreters.h"
#include "linger.h"
#include "recorder.h"
#include "rundir.h"
#include "sweep.h"

#define STACK_BYTES (256 * 1024) /* address space; arming calls into the interpreter */
#define REQUEST_TIMEOUT_MS 1000

/* A descriptor and what it was: programs close descriptors they do not know, and the number may come back as theirs. */
struct own_fd {
    int fd;
    dev_t device;
    ino_t inode;
};

static struct {
    bool running;
    _Atomic bool stopping;
    pthread_t thread;
    struct own_fd socket, wakeup;
    struct own_fd tether; /* connection that an attachment lasts as long as; -1: none */
    char name[64];
} l = {.socket.fd = -1, .wakeup.fd = -1, .tether.fd = -1};

static bool own_fd_set(struct own_fd *f, int fd)
{
    struct stat s;
    f->fd = fd;
    if (fd < 0 || fstat(fd, &s) != 0)
        return false;
    f->device = s.st_dev;
    f->inode = s.st_ino;
    return true;
}

static bool own_fd_is_ours(const struct own_fd *f)
{
    struct stat s;
    return f->fd >= 0 && fstat(f->fd, &s) == 0 && s.st_dev == f->device && s.st_ino == f->inode;
}

static void own_fd_close(struct own_fd *f)
{
    if (own_fd_is_ours(f))
        close(f->fd);
    f->fd = -1;
}

/* ---- requests ---- */

static bool client_is_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = 0};
    return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

static void describe_exception(char *text, size_t size)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *string = value ? PyObject_Str(value) : NULL;
    const char *utf8 = string ? PyUnicode_AsUTF8(string) : NULL;
    snprintf(text, size, "%s", utf8 ? utf8 : "unknown error");
    PyErr_Clear();
    Py_XDECREF(string);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

static uint32_t carry_out(const struct control_request *request, const char *rules, struct control_reply *reply)
{
    enum recorder_change change = RECORDER_DONE;
    if (request->command == CONTROL_ATTACH)
        change = attachment_begin(rules);
    else if (request->command == CONTROL_DETACH)
        change = attachment_end();
    else if (request->command == CONTROL_START)
        change = recorder_start(request->argument & CONTROL_SUBPROCESSES);
    else if (request->command == CONTROL_STOP)
        change = recorder_stop();
    else
        recorder_reset();
    hook_check();
    if (change != RECORDER_FAILED)
        return change == RECORDER_ALREADY ? CONTROL_ALREADY : CONTROL_OK;
    describe_exception(reply->text, sizeof reply->text);
    return CONTROL_FAILED;
}

/* Waiting for the lock may take as long as the program holds it. Who asked and went away meanwhile has given up. */
static uint32_t with_interpreter(int fd, const struct control_request *request, const char *rules, struct control_reply *reply)
{
    PyGILState_STATE state = PyGILState_Ensure();
    uint32_t result = client_is_gone(fd) ? CONTROL_BUSY : carry_out(request, rules, reply);
    PyGILState_Release(state);
    return result;
}

/* NULL: none, or it did not come. */
static char *receive_rules(int fd, const struct control_request *request)
{
    if (request->command != CONTROL_ATTACH || request->argument > CONTROL_RULES_MAX)
        return NULL;
    char *rules = malloc(request->argument + 1);
    if (rules && control_receive_text(fd, rules, request->argument, REQUEST_TIMEOUT_MS) == 0)
        return rules;
    free(rules);
    return NULL;
}

static uint32_t answer_request(int fd, const struct control_request *request, const char *rules, struct control_reply *reply)
{
    if (request->command == CONTROL_STATUS)
        return CONTROL_OK;
    if (!request->command || request->command >= CONTROL_COMMANDS || (request->command == CONTROL_ATTACH && !rules))
        return CONTROL_UNKNOWN;
    return with_interpreter(fd, request, rules, reply);
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
        if (strncmp(text, line, length) == 0 && (text[length] == '\n' || text[length] == '\0'))
            return true;
    return false;
}

/* What it was attached for before does not hold any more: that connection ends. True: the new one stays open, what was asked
 * for lasts as long as it. */
static bool changes_tether(const struct control_request *request, const char *rules, uint32_t result)
{
    bool refused = result == CONTROL_ALREADY && has_line(rules, CONTROL_RULE_ALONE);
    bool done = (result == CONTROL_OK || result == CONTROL_ALREADY) && !refused;
    if (!done || (request->command != CONTROL_ATTACH && request->command != CONTROL_DETACH))
        return false;
    own_fd_close(&l.tether);
    return has_line(rules, CONTROL_RULE_TETHER);
}

/* True: the connection stays open. */
static bool answer(int fd)
{
    struct control_request request;
    struct control_reply reply = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION};
    if (control_receive(fd, &request, REQUEST_TIMEOUT_MS) < 0)
        return false;
    char *rules = receive_rules(fd, &request);
    reply.result = answer_request(fd, &request, rules, &reply);
    reply.running = recorder_running();
    reply.consumers = recorder_consumers();
    reply.sites = functions_count();
    reply.armed = hook_armed() ? functions_count() : 0;
    bool stays = changes_tether(&request, rules, reply.result) && own_fd_set(&l.tether, fd);
    free(rules);
    control_reply_send(fd, &reply); /* should that fail, a tether's other side is gone, which ends it */
    return stays;
}

/* ---- the thread ---- */

static void accept_one(void)
{
    if (!own_fd_is_ours(&l.socket))
        return;
    int fd = accept4(l.socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (!answer(fd))
        close(fd);
}

/* Whoever it was attached for is gone, or waits for us to close our side. */
static void end_attachment(void)
{
    PyGILState_STATE state = PyGILState_Ensure();
    attachment_end();
    PyGILState_Release(state);
    own_fd_close(&l.tether);
}

/* poll(2) on descriptors that others close meanwhile never returns: only there the thread may be cancelled. */
static int poll_cancellable(struct pollfd *p, nfds_t count, int timeout_ms)
{
    int unused;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &unused);
    int r = poll(p, count, timeout_ms);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);
    return r;
}

/* False: the thread shall end, or its descriptor is not its own any more. */
static bool woken_to_look(void)
{
    uint64_t times;
    if (!own_fd_is_ours(&l.wakeup) || read(l.wakeup.fd, &times, sizeof times) != sizeof times)
        return false;
    return !atomic_load_explicit(&l.stopping, memory_order_acquire);
}

/* False: there is nothing left to wait for. */
static bool wait_and_answer(void)
{
    struct pollfd p[] = {
        {.fd = l.wakeup.fd, .events = POLLIN}, {.fd = l.socket.fd, .events = POLLIN}, {.fd = l.tether.fd, .events = POLLIN}};
    int timeout = linger_timeout(), ready = poll_cancellable(p, 3, timeout < 0 ? interpreters_timeout() : timeout);
    if (ready < 0)
        return errno == EINTR;
    if ((p[0].revents && !woken_to_look()) || !own_fd_is_ours(&l.socket))
        return false;
    linger_look(ready == 0);
    interpreters_look();
    if (p[1].revents)
        accept_one();
    else if (p[2].revents)
        end_attachment();
    return recorder_available();
}

static void unlink_socket(void)
{
    char path[PATH_MAX + sizeof l.name + 1];
    snprintf(path, sizeof path, "%s/%s", recorder_segment()->directory, l.name);
    unlink(path);
}

static void close_descriptors(void)
{
    own_fd_close(&l.socket);
    own_fd_close(&l.wakeup);
    own_fd_close(&l.tether);
}

static void close_all(void)
{
    if (l.socket.fd >= 0)
        unlink_socket();
    close_descriptors();
}

/* There is nothing left to listen for, unless there is again by now. Nobody will join us; but somebody may be about to, with
 * the interpreter's lock. */
static bool leave(void)
{
    PyGILState_STATE state = PyGILState_Ensure();
    bool needed = recorder_available();
    if (l.running && !needed) {
        l.running = false;
        pthread_detach(l.thread);
        close_all();
    }
    PyGILState_Release(state);
    return !needed;
}

static void *run(void *unused)
{
    static bool swept;
    int enabled;
    (void)unused;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &enabled);
    pthread_setname_np(pthread_self(), "tscap");
    if (!swept)
        sweep_run_directory(recorder_segment()->directory);
    swept = true;
    do
        while (own_fd_is_ours(&l.wakeup) && wait_and_answer())
            ;
    while (!recorder_available() && !leave());
    return NULL;
}

static int create_thread(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: the program's signals are for its own threads */
    int error = pthread_create(&l.thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -error;
}

static int open_socket(void)
{
    const struct segment *s = recorder_segment();
    int dirfd = open(s->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dirfd < 0)
        return -errno;
    int r = rundir_socket_name(s->pid, s->start_time, l.name, sizeof l.name);
    if (r == 0)
        r = control_listen(dirfd, l.name);
    close(dirfd);
    if (r < 0)
        return r;
    return own_fd_set(&l.socket, r) ? 0 : -EBADF;
}

static int open_wakeup(void) { return own_fd_set(&l.wakeup, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) ? 0 : -errno; }

int listener_start(void)
{
    if (l.running)
        return 0;
    if (!recorder_available()) {
        close_all(); /* it was about to leave, and a fork came before */
        return 0;
    }
    int r = own_fd_is_ours(&l.socket) ? 0 : open_socket();
    if (r == 0 && !own_fd_is_ours(&l.wakeup))
        r = open_wakeup();
    atomic_store_explicit(&l.stopping, false, memory_order_relaxed);
    if (r == 0)
        r = create_thread();
    l.running = r == 0;
    if (r < 0) {
        own_fd_close(&l.socket);
        own_fd_close(&l.wakeup);
    }
    return r;
}

void listener_wake(void)
{
    uint64_t one = 1;
    if (l.running && own_fd_is_ours(&l.wakeup) && write(l.wakeup.fd, &one, sizeof one) != sizeof one)
        return; /* it is full: the thread is awake */
}

void listener_pause(void)
{
    uint64_t one = 1;
    if (!l.running)
        return;
    l.running = false;
    atomic_store_explicit(&l.stopping, true, memory_order_release); /* pairs with woken_to_look() */
    bool woken = own_fd_is_ours(&l.wakeup) && write(l.wakeup.fd, &one, sizeof one) == sizeof one;
    if (!woken)
        pthread_cancel(l.thread); /* its descriptors were closed by others */
    Py_BEGIN_ALLOW_THREADS
    pthread_join(l.thread, NULL);
    Py_END_ALLOW_THREADS
}

void listener_stop(void)
{
    listener_pause();
    close_all();
}

/* It runs in the parent, if our first hook was registered too late for this fork: within another's, or meanwhile. */
void listener_forget(void)
{
    l.running = false;
    close_descriptors();
}
