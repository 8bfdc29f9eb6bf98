#include "listener.h"

#include "python.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arming.h"
#include "attachment.h"
#include "command.h"
#include "control.h"
#include "demand.h"
#include "functions.h"
#include "hook.h"
#include "interpreters.h"
#include "linger.h"
#include "own_fd.h"
#include "recorder.h"
#include "rules.h"
#include "rundir.h"
#include "session.h"
#include "sweep.h"
#include "switches.h"
#include "tether.h"
#include "wakeup.h"

#define STACK_BYTES (256 * 1024) /* address space; arming calls into the interpreter */
#define REQUEST_TIMEOUT_MS 1000
#define SHORTAGE_MS 100 /* until what there was no descriptor or no memory for is tried again */
#define MEND_MS 10000   /* the same, at last, for what it listens with */
#define REAPING_TRIES 1000 /* of some microseconds each */
#define LOOKS 4         /* whether that is there still, once somebody has closed some of it, a second between two */
#define LOOK_MS 1000
#define BACKSTOP_MS 60000 /* should nothing have woken it: a number that was closed may be another's, for which poll(2) waits then */

static struct {
    bool running;
    _Atomic bool stopping;
    pthread_t thread;
    _Atomic pid_t tid; /* of it; 0: it has not begun */
    struct own_fd socket;
    struct own_fd tether; /* connection that an attachment lasts as long as; -1: none */
    bool tether_shared; /* with our parent, or with children that go on when we end: what it lasts for was handed on */
    bool shortage; /* somebody waits to be accepted, and cannot be now */
    int looks;     /* still to be made: who closes descriptors one after the other may not have come to the end */
    char directory[PATH_MAX], name[64]; /* of the socket */
} l = {.socket.fd = -1, .tether.fd = -1};

/* ---- what it listens with ---- */

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
    snprintf(l.directory, sizeof l.directory, "%s", s->directory);
    return own_fd_set(&l.socket, r) ? 0 : -EBADF;
}

static void unlink_socket(void)
{
    char path[sizeof l.directory + sizeof l.name + 1];
    snprintf(path, sizeof path, "%s/%s", l.directory, l.name);
    unlink(path);
}

static bool socket_is_in_place(void) { return own_fd_is_ours(&l.socket) && strcmp(l.directory, recorder_segment()->directory) == 0; }

static bool has_descriptors(void) { return wakeup_is_ours() && socket_is_in_place(); }

/* The socket last, which takes one more for a moment: so there is one left for who comes. */
static int open_missing(void)
{
    int r = wakeup_is_ours() ? 0 : wakeup_open();
    if (own_fd_is_ours(&l.socket) && !socket_is_in_place()) {
        unlink_socket();
        own_fd_close(&l.socket); /* the segment is elsewhere now */
    }
    return r == 0 && !own_fd_is_ours(&l.socket) ? open_socket() : r;
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

/* What may follow a request. */
struct enclosure {
    struct rules rules;         /* CONTROL_ATTACH */
    struct track_orders tracks; /* CONTROL_TRACKS */
};

static uint32_t carry_out(const struct control_request *request, struct enclosure *e, struct control_reply *reply)
{
    enum consumers_change change = CONSUMERS_DONE;
    if (request->command == CONTROL_ATTACH)
        change = attachment_begin(&e->rules);
    else if (request->command == CONTROL_DETACH)
        change = attachment_end();
    else if (request->command == CONTROL_START)
        change = command_start(request->argument & CONTROL_SUBPROCESSES);
    else if (request->command == CONTROL_STOP)
        change = command_stop();
    else if ((request->command == CONTROL_TRACKS ? switches_set(&e->tracks) : command_reset()) < 0)
        change = CONSUMERS_FAILED;
    hook_check();
    if (change != CONSUMERS_FAILED)
        return change == CONSUMERS_ALREADY ? CONTROL_ALREADY : CONTROL_OK;
    describe_exception(reply->text, sizeof reply->text);
    return CONTROL_FAILED;
}

/* Waiting for the lock may take as long as the program holds it. Who asked and went away meanwhile has given up. */
static uint32_t with_interpreter(int fd, const struct control_request *request, struct enclosure *e, struct control_reply *reply)
{
    PyGILState_STATE state = PyGILState_Ensure();
    uint32_t result = client_is_gone(fd) ? CONTROL_BUSY : carry_out(request, e, reply);
    PyGILState_Release(state);
    return result;
}

static int parse(struct enclosure *e, uint32_t command, const char *text)
{
    return command == CONTROL_ATTACH ? rules_parse(&e->rules, text) : track_orders_parse(&e->tracks, text);
}

/* False: what should follow did not come. */
static bool receive_enclosure(int fd, const struct control_request *request, struct enclosure *e)
{
    bool attach = request->command == CONTROL_ATTACH;
    e->rules = (struct rules){0};
    if (!attach && request->command != CONTROL_TRACKS)
        return true;
    char *text = request->argument <= (attach ? CONTROL_RULES_MAX : TRACK_ORDERS_TEXT) ? malloc(request->argument + 1) : NULL;
    bool came = text && control_receive_text(fd, text, request->argument, REQUEST_TIMEOUT_MS) == 0 && parse(e, request->command, text) == 0;
    free(text);
    return came;
}

static uint32_t obey(int fd, const struct control_request *request, struct enclosure *e, struct control_reply *reply)
{
    if (request->command == CONTROL_STATUS)
        return CONTROL_OK;
    if (!request->command || request->command >= CONTROL_COMMANDS)
        return CONTROL_UNKNOWN;
    return with_interpreter(fd, request, e, reply);
}

/* Children that inherited it hold it open, too: who waits at the other side hears of us, and they do. Where
 * it is shared, it ends for us alone. */
static void drop_tether(void)
{
    if (!l.tether_shared && own_fd_is_ours(&l.tether))
        shutdown(l.tether.fd, SHUT_RDWR);
    own_fd_close(&l.tether);
    l.tether_shared = false;
}

/* Who begins a session may have it last as long as the connection. */
static bool tethers_session(const struct control_request *request, uint32_t result)
{
    return request->command == CONTROL_START && request->argument & CONTROL_TETHER && result == CONTROL_OK;
}

/* What it was attached for before does not hold any more: that connection ends. True: the new one stays open, what was asked
 * for lasts as long as it. */
static bool changes_tether(const struct control_request *request, bool alone, bool tethered, uint32_t result)
{
    bool refused = result == CONTROL_ALREADY && alone;
    bool done = (result == CONTROL_OK || result == CONTROL_ALREADY) && !refused;
    if (!done || (request->command != CONTROL_ATTACH && request->command != CONTROL_DETACH))
        return false;
    drop_tether();
    return tethered;
}

static void hold_session(int fd)
{
    PyGILState_STATE state = PyGILState_Ensure();
    tether_hold(TETHER_CONNECTION, fd);
    PyGILState_Release(state);
}

static void answer_request(int fd, const struct control_request *request, struct control_reply *reply, bool *stays)
{
    struct enclosure e;
    bool came = receive_enclosure(fd, request, &e), alone = e.rules.alone, tethered = e.rules.tether;
    reply->result = came ? obey(fd, request, &e, reply) : CONTROL_UNKNOWN;
    reply->running = session_running();
    reply->consumers = demand_consumers();
    reply->sites = marks_live();
    reply->armed = hook_armed() ? marks_live() : 0;
    *stays = changes_tether(request, alone, tethered, reply->result) && own_fd_set(&l.tether, fd);
    if (tethers_session(request, reply->result)) {
        hold_session(fd);
        *stays = true;
    }
    rules_free(&e.rules);
}

/* True: the connection stays open. */
static bool answer(int fd)
{
    struct control_request request;
    struct control_reply reply = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION};
    bool stays = false;
    if (control_receive(fd, &request, REQUEST_TIMEOUT_MS) < 0)
        return false;
    answer_request(fd, &request, &reply, &stays);
    control_reply_send(fd, &reply); /* should that fail, a tether's other side is gone, which ends it */
    return stays;
}

/* ---- the thread ---- */

static void accept_one(void)
{
    if (!own_fd_is_ours(&l.socket))
        return;
    int fd = accept4(l.socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    l.shortage = fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
    if (fd >= 0 && !answer(fd))
        close(fd);
}

/* Whoever it was attached for is gone, or waits for us to close our side. */
static void end_attachment(void)
{
    PyGILState_STATE state = PyGILState_Ensure();
    attachment_end();
    PyGILState_Release(state);
    drop_tether();
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

static bool is_stopping(void) { return atomic_load_explicit(&l.stopping, memory_order_acquire); }

/* Of timeouts as poll(2) has them: negative is never. */
static int earlier(int a, int b) { return a < 0 || (b >= 0 && b < a) ? b : a; }

/* As long as somebody waits for whom there is no descriptor, poll(2) would return at once. */
static int wait_for_events(struct pollfd *p, nfds_t count)
{
    int linger = linger_timeout();
    int others = earlier(earlier(l.shortage ? SHORTAGE_MS : -1, l.looks ? LOOK_MS : -1), interpreters_timeout());
    int timeout = earlier(earlier(linger, others), BACKSTOP_MS);
    bool lingers = linger >= 0 && linger == timeout;
    if (l.shortage)
        p[1].fd = -1;
    int ready = poll_cancellable(p, count, timeout);
    l.shortage = false;
    if (ready == 0 && l.looks)
        l.looks--;
    if (ready >= 0 && !is_stopping()) {
        arming_look(ready == 0 && lingers);
        interpreters_look();
    }
    return ready;
}

/* Programs close descriptors they do not know, daemons all of them, and what has their numbers then is the program's: others
 * take their place. Who comes meanwhile finds the old socket as long as poll(2) waits at it. False: it is not the time. */
static bool mend(void)
{
    static int pause = SHORTAGE_MS;
    int r = -ECANCELED;
    if (is_stopping() || !recorder_available())
        return false;
    if (has_descriptors()) {
        pause = SHORTAGE_MS;
        return true;
    }
    PyGILState_STATE state = PyGILState_Ensure();
    if (!is_stopping() && recorder_available())
        r = open_missing();
    PyGILState_Release(state);
    l.looks = LOOKS;
    if (r < 0 && !is_stopping()) {
        struct pollfd p = wakeup_poll();
        poll_cancellable(&p, wakeup_is_ours(), pause);
        if (wakeup_is_ours())
            wakeup_drain(); /* else it would not wait the next time */
        pause = 2 * pause < MEND_MS ? 2 * pause : MEND_MS;
    }
    return r == 0;
}

/* False: there is nothing left to wait for, or nothing to wait with descriptors. */
static bool wait_and_answer(void)
{
    struct pollfd p[] = {wakeup_poll(), {.fd = l.socket.fd, .events = POLLIN}, {.fd = l.tether.fd, .events = POLLIN},
                         tether_poll(TETHER_CONNECTION), tether_poll(TETHER_KEEPER)};
    int ready = wait_for_events(p, sizeof p / sizeof *p);
    if (ready < 0)
        return errno == EINTR;
    if (!has_descriptors())
        return false;
    if (p[0].revents)
        wakeup_drain();
    if (is_stopping())
        return false;
    if (p[1].revents)
        accept_one();
    else if (p[2].revents)
        end_attachment();
    else
        for (int i = 0; i < TETHERS; i++)
            tether_heed((enum tether)i, p[3 + i].revents);
    return recorder_available();
}

static void close_all(void)
{
    if (l.socket.fd >= 0)
        unlink_socket();
    own_fd_close(&l.socket);
    wakeup_close();
    drop_tether();
    tether_drop_all();
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
    atomic_store_explicit(&l.tid, gettid(), memory_order_relaxed);
    if (!swept)
        sweep_run_directory(recorder_segment()->directory);
    swept = true;
    do
        while (mend() && wait_and_answer())
            ;
    while (!is_stopping() && (recorder_available() || !leave()));
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

int listener_start(void)
{
    if (l.running)
        return 0;
    if (!recorder_available()) {
        close_all(); /* it was about to leave, and a fork came before */
        return 0;
    }
    int r = open_missing();
    atomic_store_explicit(&l.stopping, false, memory_order_relaxed);
    if (r == 0)
        r = create_thread();
    l.running = r == 0;
    if (r < 0)
        close_all();
    return r;
}

/* A thread that was joined is counted by the kernel for a moment more, and 3.12 and later warn of forks by that count. */
static void await_reaping(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld", (long)atomic_load_explicit(&l.tid, memory_order_relaxed));
    for (int i = 0; i < REAPING_TRIES && access(path, F_OK) == 0; i++)
        sched_yield();
}

void listener_pause(void)
{
    if (!l.running)
        return;
    l.running = false;
    atomic_store_explicit(&l.stopping, true, memory_order_release); /* pairs with is_stopping() */
    if (!wakeup_send())
        pthread_cancel(l.thread); /* its descriptors were closed by others */
    Py_BEGIN_ALLOW_THREADS
    pthread_join(l.thread, NULL);
    await_reaping();
    Py_END_ALLOW_THREADS
}

void listener_stop(bool heirs)
{
    listener_pause();
    l.tether_shared |= heirs;
    close_all();
}

/* It runs in the parent, if our first hook was registered too late for this fork: within another's, or meanwhile. */
void listener_forget(bool heir)
{
    l.running = false;
    own_fd_close(&l.socket);
    wakeup_close();
    l.tether_shared = l.tether.fd >= 0;
    if (!heir)
        drop_tether();
}
