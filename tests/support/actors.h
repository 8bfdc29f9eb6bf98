/* Processes that do what a test tells them: make a segment, record a call, listen, end. All are children of the test; who
 * descends from whom is what their segments say. */
#ifndef TSCAP_TESTS_ACTORS_H
#define TSCAP_TESTS_ACTORS_H

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "control.h"
#include "lineage.h"
#include "process.h"
#include "segments.h"

enum { ACTORS = 8, ACTOR_NOBODY = -1 };

struct actor {
    /* before it begins */
    int parent; /* ACTOR_NOBODY, or its number: a smaller one, for parents are not younger */
    const char *const *function; /* names, ended by NULL, in the order in which they are interned */
    bool other_clock;
    int wakes; /* ACTOR_NOBODY, or who makes a segment and listens when this one has been told something, before it answers */
    struct control_reply says; /* .magic 0: what it does */
    /* then */
    pid_t pid;
    uint64_t start_time;
    bool ended;
    int order[2], done[2]; /* pipes */
    /* what it was told */
    uint32_t requests, command, argument;
};

static struct actor *actors; /* shared with them */

/* ---- one of them ---- */

static struct test_segment actor_segment;
static struct writer *actor_writer;
static int actor_listener = -1;

static inline _Atomic uint32_t *actor_flags(void) { return &actor_segment.segment.header->session_flags; }

static inline void actor_session(uint64_t started, uint64_t stopped)
{
    struct segment_header *h = actor_segment.segment.header;
    h->session_started = started;
    h->session_stopped = stopped;
}

/* 'm': a segment, and a session that runs. */
static inline void actor_make(const struct actor *a)
{
    struct lanes_options o = small_lanes();
    if (a->other_clock)
        setenv("TSCAP_CLOCK", "monotonic", 1);
    if (segment_begin(&actor_segment, 8 << 20, &o) < 0)
        abort();
    for (int p = a->parent, level = 0; p != ACTOR_NOBODY; p = actors[p].parent, level++)
        actor_segment.segment.header->lineage[level] =
            (struct ancestor){.pid = (uint32_t)actors[p].pid, .start_time = actors[p].start_time};
    for (uint32_t i = 0; a->function && a->function[i]; i++) {
        struct site site = {.name = a->function[i], .qualname = a->function[i], .module = "m", .file = "m.py", .line = 1};
        sites_intern(actor_segment.sites, &site);
    }
    *actor_flags() |= SESSION_RUNNING;
    actor_session(clock_ticks(), 0);
}

static inline void actor_listen(const struct actor *a)
{
    char name[64];
    int dirfd = rundir_open(geteuid(), false);
    if (rundir_socket_name(a->pid, a->start_time, name, sizeof name) == 0)
        actor_listener = control_listen(dirfd, name);
    close(dirfd);
}

/* 'A' to 'Z': a call of the function interned as first, second ... */
static inline void actor_call(uint32_t site)
{
    if (!actor_writer)
        actor_writer = open_lane(&actor_segment, "main");
    writer_enter(actor_writer, site);
    writer_exit(actor_writer, site, 0);
}

static inline void actor_do(struct actor *a, char order)
{
    struct segment_header *h = actor_segment.segment.header;
    if (order >= 'A' && order <= 'Z')
        actor_call((uint32_t)(order - 'A' + 1));
    switch (order) {
    case 'm':
        actor_make(a);
        break;
    case 'l':
        actor_listen(a);
        break;
    case 'h': /* its session was handed on to it */
        *actor_flags() |= SESSION_COUNTED | SESSION_INHERITED;
        h->session_seq = 2;
        break;
    case 'o': /* it has handed on its session once more */
        h->offspring++;
        break;
    case 'w': /* children will record, too */
        *actor_flags() |= SESSION_SUBPROCESSES;
        break;
    case 's':
        *actor_flags() &= ~(uint32_t)SESSION_RUNNING;
        actor_session(h->session_started, clock_ticks());
        break;
    case 'r':
        h->resets++;
        break;
    case 'u':
        segment_unlink(&actor_segment.segment);
        break;
    case 'x': /* no segment any more */
        h->magic = 0;
        break;
    case 'y': /* its threads lie nowhere */
        h->lane_first = UINT32_MAX;
        break;
    case 'v': /* more functions than there can be */
        h->site_count = UINT32_MAX;
        break;
    }
}

/* Does as it is told, tells whether there was anything to do. */
static inline struct control_reply actor_obey(const struct control_request *request)
{
    struct control_reply reply = {.magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .sites = 5};
    bool runs = *actor_flags() & SESSION_RUNNING;
    uint32_t wanted = SESSION_RUNNING | (request->argument ? SESSION_SUBPROCESSES : 0);
    if (request->command == CONTROL_START) {
        reply.result = (*actor_flags() & wanted) == wanted ? CONTROL_ALREADY : CONTROL_OK;
        *actor_flags() |= wanted;
    } else if (request->command == CONTROL_STOP) {
        reply.result = runs ? CONTROL_OK : CONTROL_ALREADY;
        *actor_flags() &= ~(uint32_t)SESSION_RUNNING;
    }
    if (request->command == CONTROL_START || request->command == CONTROL_STOP)
        actor_segment.segment.header->session_seq += 2;
    return reply;
}

static inline void actors_tell(int number, const char *orders);

static inline void actor_answer(struct actor *a)
{
    struct control_request request;
    int fd = accept4(actor_listener, NULL, NULL, SOCK_CLOEXEC);
    if (control_receive(fd, &request, 10000) == 0) {
        a->requests++;
        a->command = request.command;
        a->argument = request.argument;
        struct control_reply reply = actor_obey(&request);
        if (a->wakes != ACTOR_NOBODY && a->requests == 1)
            actors_tell(a->wakes, "mlh");
        control_reply_send(fd, a->says.magic ? &a->says : &reply);
    }
    close(fd);
}

static inline void actor_live(struct actor *a)
{
    char order;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        struct pollfd p[] = {{.fd = a->order[0], .events = POLLIN}, {.fd = actor_listener, .events = POLLIN}};
        poll(p, 2, -1);
        if (p[1].revents)
            actor_answer(a);
        if (p[0].revents && (read(a->order[0], &order, 1) != 1 || order == 'q'))
            _exit(0);
        if (p[0].revents) {
            actor_do(a, order);
            if (write(a->done[1], &order, 1) != 1)
                _exit(1);
        }
    }
}

/* ---- all of them ---- */

/* To be called first: for .init. */
static inline void actors_make(void)
{
    own_directory_make();
    actors = mmap(NULL, ACTORS * sizeof *actors, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(actors != MAP_FAILED);
    for (int i = 0; i < ACTORS; i++)
        actors[i].parent = actors[i].wakes = ACTOR_NOBODY;
}

/* One after the other, numbered from 0; `parent` and the like are set before. All pipes first: one may tell another. */
static inline void actors_begin(int count)
{
    for (int i = 0; i < count; i++)
        cr_assert(pipe(actors[i].order) == 0 && pipe(actors[i].done) == 0);
    for (int i = 0; i < count; i++) {
        struct actor *a = &actors[i];
        pid_t pid = fork();
        if (pid == 0) {
            while (!a->start_time) /* until the test knows it */
                usleep(100);
            actor_live(a);
        }
        cr_assert_gt(pid, 0);
        a->pid = pid;
        uint64_t start_time;
        cr_assert_eq(process_start_time(pid, &start_time), 0);
        a->start_time = start_time;
    }
}

/* One letter after the other, each done before the next. */
static inline void actors_tell(int number, const char *orders)
{
    char done;
    for (; *orders; orders++)
        if (write(actors[number].order[1], orders, 1) != 1 || read(actors[number].done[0], &done, 1) != 1)
            abort();
}

/* Each has a listener, and a session that does not run. */
static inline void actors_begin_stopped(int count)
{
    actors_begin(count);
    for (int i = 0; i < count; i++)
        actors_tell(i, "msl");
}

/* How often each of the first `count` was told something: "1101". */
static inline const char *actors_told(int count)
{
    static char text[8];
    for (int i = 0; i < count; i++)
        text[i] = (char)('0' + actors[i].requests);
    text[count] = '\0';
    return text;
}

/* It ends, what it made stays. */
static inline void actor_end(int number)
{
    if (actors[number].pid == 0 || actors[number].ended)
        return;
    kill(actors[number].pid, SIGKILL);
    waitpid(actors[number].pid, NULL, 0);
    actors[number].ended = true;
}

static inline void actors_end(void)
{
    for (int i = 0; i < ACTORS; i++)
        actor_end(i);
    own_directory_remove();
}

/* Its segment or socket ("tscap", "sock"), or that of another process with its number, which began `later`: clock ticks. */
static inline const char *actor_file(int number, const char *kind, int later)
{
    static char path[PATH_MAX + 64];
    const struct actor *a = &actors[number];
    snprintf(path, sizeof path, "%s/%d-%lu.%s", own_directory(), (int)a->pid, (unsigned long)a->start_time + later, kind);
    return path;
}

static inline bool actor_has_file(int number, const char *kind) { return access(actor_file(number, kind, 0), F_OK) == 0; }

/* What another process left that had its number and recorded the same. */
static inline void actor_has_double(int number, int later)
{
    static char bytes[8 << 20];
    uint64_t start_time = actors[number].start_time + (uint64_t)later;
    FILE *from = fopen(actor_file(number, "tscap", 0), "re");
    FILE *to = fopen(actor_file(number, "tscap", later), "wxe");
    cr_assert(from && to);
    size_t size = fread(bytes, 1, sizeof bytes, from);
    memcpy(bytes + offsetof(struct segment_header, start_time), &start_time, sizeof start_time);
    cr_assert_eq(fwrite(bytes, 1, size, to), size);
    fclose(from);
    fclose(to);
}

#endif
